"""Whether each server of the stack does its work, as told by the server itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rankloop.mongo import MongoAccessError, MongoUnavailableError, connect
from rankloop.settings import Settings
from rankloop_demo.stack import local_http

OK = 200
MONGO_PATIENCE_S = 1.0

# How Airflow's health page calls the processes that beat.
BEATING = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}


@dataclass(frozen=True)
class Server:
    """One server of the stack, and how it is."""

    name: str
    """As in the Procfile."""
    address: str
    """Where it listens, or empty if it listens nowhere."""
    healthy: bool


def check_servers(settings: Settings, since: float) -> tuple[Server, ...]:
    """Return the health of each server; a heartbeat older than `since` is of an earlier start and does not count."""
    beats = _airflow_health(settings)
    airflow = f"http://127.0.0.1:{settings.ports.airflow}"
    mlflow = f"http://127.0.0.1:{settings.ports.mlflow}"
    mongo = "RANKLOOP_MONGO_URI" if settings.mongo_uri else settings.mongo
    return (
        Server("mongo", mongo, _mongo_answers(settings)),
        Server("mlflow", mlflow, _mlflow_answers(settings)),
        Server("serving", f"http://127.0.0.1:{settings.ports.serving}", _serving_answers(settings)),
        Server("airflow-api-server", airflow, beats.get("metadatabase", {}).get("status") == "healthy"),
        *(Server(name, "", _beats(beats.get(key, {}), key, since)) for name, key in BEATING.items()),
    )


def all_healthy(servers: Iterable[Server]) -> bool:
    """Return whether every server is healthy."""
    return all(server.healthy for server in servers)


def _mongo_answers(settings: Settings) -> bool:
    try:
        connect(settings.mongo, patience_s=MONGO_PATIENCE_S).close()
    except (MongoUnavailableError, MongoAccessError):
        return False
    return True


def _mlflow_answers(settings: Settings) -> bool:
    answer = local_http.get(settings.ports.mlflow, "/health")
    return answer is not None and answer.status == OK


def _serving_answers(settings: Settings) -> bool:
    """Return whether the server is alive: a new stack has no rankings yet, so it is not ready before they are made."""
    answer = local_http.get(settings.ports.serving, "/alive")
    return answer is not None and answer.status == OK


def _airflow_health(settings: Settings) -> dict[str, dict[str, str | None]]:
    answer = local_http.get(settings.ports.airflow, "/api/v2/monitor/health")
    return answer.body if answer and answer.status == OK and isinstance(answer.body, dict) else {}


def _beats(health: dict[str, str | None], key: str, since: float) -> bool:
    beat = health.get(f"latest_{key}_heartbeat")
    return health.get("status") == "healthy" and beat is not None and datetime.fromisoformat(beat).timestamp() > since
