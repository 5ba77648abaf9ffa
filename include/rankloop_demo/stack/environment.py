"""The whole configuration of the stack's processes, and so of every task that they run, as environment variables."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic_core import to_json, to_jsonable_python

from rankloop.settings import Settings, variable
from rankloop_demo.stack.home import read_private
from rankloop_demo.stack.keys import Keys
from rankloop_demo.stack.people import PEOPLE, passwords_file
from rankloop_demo.stack.processes import HOME_MARK, NAME_MARK, SUPERVISOR
from rankloop_demo.stack.tools import BIN, REPOSITORY, mongo_server

# Enough for the loop on a laptop; a task of ours uses a core well.
PARALLEL_TASKS = 4
DATABASE_WAIT_S = 30


def stack_environment(settings: Settings, keys: Keys) -> dict[str, str]:
    """Return the environment that the supervisor starts with and passes on: the caller's, with ours over it."""
    environment = {
        **_tunable(),
        **os.environ,
        **as_variables(settings),
        **_process_variables(settings),
        **_airflow(settings),
        **_airflow_people_and_keys(settings.home, keys),
        **_connections(settings),
        **_mlflow(settings),
    }
    if not settings.mongo_uri:
        environment["SECANTUSD"] = str(mongo_server())
    return environment


def as_variables(settings: Settings) -> dict[str, str]:
    """Return every setting as a variable, so that tasks see what the command line saw, whatever their folder."""
    return {**dict(_leaves(settings)), variable("simulator.enabled"): str(settings.simulated).lower()}


def _leaves(model: BaseModel, parent: str = "") -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{parent}{name}.")
        elif value is not None:
            yield variable(parent + name), _as_text(value)


def _as_text(value: Any) -> str:  # noqa: ANN401  (a setting may hold anything)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple) and any(isinstance(item, SecretStr) for item in value):
        return json.dumps([item.get_secret_value() for item in value])
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return to_json(value).decode()
    return str(to_jsonable_python(value))


def _process_variables(settings: Settings) -> dict[str, str]:
    # Some programs read the one spelling, some the other, and some the other first.
    past_proxies = ",".join(filter(None, (os.environ.get(name) for name in ("NO_PROXY", "no_proxy"))))
    here = ",".join(filter(None, (past_proxies, "127.0.0.1,localhost")))
    return {
        HOME_MARK: str(settings.home),
        NAME_MARK: SUPERVISOR,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "NO_PROXY": here,
        "no_proxy": here,
        "PYTHONUNBUFFERED": "1",
        # A process that renames itself would otherwise overwrite its environment, and with it our mark.
        "SPT_NOENV": "1",
    }


def _airflow(settings: Settings) -> dict[str, str]:
    home = settings.home / "airflow"
    address = f"http://127.0.0.1:{settings.ports.airflow}"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        # SQLite takes one writer at a time; on a busy machine five seconds, its default, are not enough to wait.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout={DATABASE_WAIT_S}",
        # The supervisor migrates once, before any of the four would each check that it did.
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(settings.ports.airflow),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _tunable() -> dict[str, str]:
    """Return defaults that a variable of the caller's overrides."""
    return {
        "AIRFLOW__CORE__PARALLELISM": str(PARALLEL_TASKS),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # A line for every heartbeat of every task would bury the rest.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
        # The next task of a run is looked for twice a second, rather than once: most of ours take little longer.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # A DAG file just written appears within half a minute, rather than five.
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # A file that changed is read at once; one that did not has nothing new to say, and reading ten of them every
        # half minute would take a tenth of a core.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        # After a kill, tasks of the dead scheduler start again within half a minute, rather than five.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        # Threads of a ranker that wait for one another by spinning keep other tasks off the cores: with as many tasks
        # as cores a training took four times as long.
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def _airflow_people_and_keys(home: Path, keys: Keys) -> dict[str, str]:
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{person}:{role}" for person, role in PEOPLE.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(home)),
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt,
        "AIRFLOW__API__SECRET_KEY": keys.session,
    }


def _connections(settings: Settings) -> dict[str, str]:
    # A promotion reads the answer from Airflow's own API, as a user who may only read.
    here = {
        "conn_type": "http",
        "schema": "http",
        "host": "127.0.0.1",
        "port": settings.ports.airflow,
        "login": "viewer",
        "password": read_private(passwords_file(settings.home)).get("viewer", ""),
    }
    return {"AIRFLOW_CONN_RANKLOOP_AIRFLOW": json.dumps(here)}


def _mlflow(settings: Settings) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": settings.mlflow,
        "MLFLOW_REGISTRY_URI": settings.mlflow,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Its job runner is for judging text with language models: four more processes that nobody here asks anything.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
