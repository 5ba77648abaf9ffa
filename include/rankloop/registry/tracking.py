"""One MLflow run a training: every task of a training finds it by the training's key, and hands on only its id."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from pydantic_core import to_jsonable_python

from rankloop.registry.artifacts import Artifacts
from rankloop.registry.connection import Registry, RegistryError, speaking_to

EXPERIMENT = "continuous_training"
KEY, AS_OF, REASON = "rankloop.training", "rankloop.as_of", "rankloop.reason"
OUTCOME = "rankloop.outcome"
"""The tag of a training that came to its end; none has it that is under way or was stopped."""
PARENT = "mlflow.parentRunId"
TABLES = "mlflow.loggedArtifacts"
"""The tag by which MLflow's UI finds tables."""
LONGEST_PARAM = 6000
"""MLflow cuts off what is longer, without a word."""
LONGEST_NAME = 250
"""What MLflow's database takes; PostgreSQL refuses more."""
AT_A_TIME = {"params": 100, "metrics": 1000}
"""What MLflow takes in one request."""

Ending = Literal["FINISHED", "FAILED", "KILLED"]


class TrainingRun(Artifacts):
    """A run, its artifacts, parameters, metrics and tags; each may be written again."""

    def __init__(self, client: MlflowClient, uri: str, run: Run) -> None:
        self.client = client
        self.run_id: str = run.info.run_id
        self.experiment_id: str = run.info.experiment_id
        self.started_ms: int = run.info.start_time
        super().__init__(uri, run.info.artifact_uri, f"run {self.run_id}")

    @property
    def link(self) -> str:
        """Where a person looks at it."""
        return f"{self.uri}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    @property
    def tags(self) -> dict[str, str]:
        """All its tags, MLflow's own included."""
        return dict(self._data().tags)

    @property
    def params(self) -> dict[str, str]:
        """All its parameters, as text."""
        return dict(self._data().params)

    @property
    def metrics(self) -> dict[str, float]:
        """The last figure of each metric, by the name that MLflow takes: `ndcg_at_10`."""
        return dict(self._data().metrics)

    def _data(self) -> Any:  # noqa: ANN401  (MLflow ships no type of it)
        with speaking_to(self.uri, f"reading {self.owner}"):
            return self.client.get_run(self.run_id).data

    def tag(self, **tags: object) -> None:
        """Set tags, `rankloop.` before each name."""
        self._set_tags({f"rankloop.{name}": as_text(value) for name, value in tags.items()})

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        with speaking_to(self.uri, f"tagging {self.owner}"):
            self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters; one that holds others becomes one for each, with a dot between. None may ever change."""
        given, known = dict(_flat(params)), self.params
        changed = [name for name, value in given.items() if known.get(name, value) != value]
        if changed:
            name = changed[0]
            raise RegistryError(
                f"{self.owner} was begun with {name} = {known[name]}, and now it is {given[name]}: it is another "
                f"training (so say {len(changed) - 1} more). Start another, with a key of its own."
            )
        new = [Param(name, value) for name, value in given.items() if name not in known]
        for few in _few(new, AT_A_TIME["params"]):
            with speaking_to(self.uri, f"logging parameters of {self.owner}"):
                self.client.log_batch(self.run_id, params=few)

    def log_metrics(self, metrics: Mapping[str, float | None]) -> None:
        """Log figures; those that are missing or no number are left out, those that are there already stay as is."""
        known = self.metrics
        given = {_name(name): float(value) for name, value in metrics.items() if value is not None}
        # MLflow takes the latest for the last: a figure that changed must be later, and that is no part of a training.
        now = time.time_ns() // 1_000_000
        self._log([Metric(n, v, now, 0) for n, v in given.items() if math.isfinite(v) and known.get(n) != v])

    def log_curve(self, name: str, values: Sequence[float]) -> None:
        """Log a metric that has a value a step, such as a learning curve."""
        # With the same instant each time, MLflow keeps a point that is logged again once.
        points = enumerate(values)
        self._log([Metric(_name(name), float(v), self.started_ms, step) for step, v in points if math.isfinite(v)])

    def _log(self, metrics: Sequence[Metric]) -> None:
        for few in _few(metrics, AT_A_TIME["metrics"]):
            with speaking_to(self.uri, f"logging metrics of {self.owner}"):
                self.client.log_batch(self.run_id, metrics=few)

    def put_table(self, name: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Keep a table that MLflow's UI shows as one; `name` ends in .json."""
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self.put_json(name, {"columns": list(columns), "data": rows})
        tables = json.loads(self.tags.get(TABLES, "[]"))
        if (entry := {"path": name, "type": "table"}) not in tables:
            self._set_tags({TABLES: json.dumps([*tables, entry])})

    @property
    def status(self) -> str:
        """What MLflow shows: RUNNING, FINISHED or FAILED."""
        with speaking_to(self.uri, f"reading {self.owner}"):
            return str(self.client.get_run(self.run_id).info.status)

    def go_on(self) -> None:
        """Be under way again after a stop; a training that came to its end stays at its end."""
        if OUTCOME not in self.tags and self.status != "RUNNING":
            with speaking_to(self.uri, f"going on with {self.owner}"):
                self.client.update_run(self.run_id, status="RUNNING")

    def stop(self, why: str) -> None:
        """Say that the training cannot go on, and why; one that came to its end stays at its end."""
        if OUTCOME not in self.tags:
            self.tag(stopped_because=why)
            self.finish("FAILED")

    def finish(self, status: Ending = "FINISHED") -> None:
        """Say that the training is over."""
        with speaking_to(self.uri, f"ending {self.owner}"):
            self.client.set_terminated(self.run_id, status)


def open_training(
    registry: Registry, key: str, as_of: date, reason: str, tags: Mapping[str, str] | None = None
) -> TrainingRun:
    """Open the run of the training with this key: create it if there is none, resume one that was stopped.

    `key` names a training for good: with Airflow, the id of the DAG run.
    """
    client, uri = registry.client, registry.uri
    with speaking_to(uri, f"opening the training {key}"):
        experiment = _experiment(client, uri)
        run = _oldest(client, experiment, key) or _begun(client, experiment, key, as_of, reason)
        if (recorded := run.data.tags[AS_OF]) != as_of.isoformat():
            raise RegistryError(
                f"the training {key} is run {run.info.run_id}, as of {recorded}, and cannot become one as of {as_of}: "
                "start another training for that day."
            )
        if tags:
            client.log_batch(run.info.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
    opened = TrainingRun(client, uri, run)
    opened.go_on()
    return opened


def training_run(registry: Registry, run_id: str) -> TrainingRun:
    """Return the training run with this id; refuse a run that is no training."""
    client, uri = registry.client, registry.uri
    with speaking_to(uri, f"looking for run {run_id}"):
        run = client.get_run(run_id)
    if KEY not in run.data.tags:
        parent = run.data.tags.get(PARENT)
        hint = f"it is a trial of the training {parent}" if parent else f"look in the experiment {EXPERIMENT}"
        raise RegistryError(f"run {run_id} of MLflow at {uri} is no training: {hint}. Give the id of a training's run.")
    return TrainingRun(client, uri, run)


def find_training(registry: Registry, key: str) -> TrainingRun:
    """Return the run of the training with this key; raise an error if there is none."""
    client, uri = registry.client, registry.uri
    with speaking_to(uri, f"looking for the training {key}"):
        run = _oldest(client, _experiment(client, uri), key)
    if run is None:
        raise RegistryError(
            f"MLflow at {uri} knows no training {key}; the experiment {EXPERIMENT} has those there are."
        )
    return TrainingRun(client, uri, run)


def _experiment(client: MlflowClient, uri: str) -> str:
    if (experiment := client.get_experiment_by_name(EXPERIMENT)) is None:
        try:
            return client.create_experiment(EXPERIMENT)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _experiment(client, uri)  # another task made it in the meantime
    if experiment.lifecycle_stage != "active":
        raise RegistryError(
            f"the experiment {EXPERIMENT} of MLflow at {uri} was deleted. Restore it: "
            f"`MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {experiment.experiment_id}`."
        )
    return experiment.experiment_id


def _begun(client: MlflowClient, experiment: str, key: str, as_of: date, reason: str) -> Run:
    tags = {
        KEY: key,
        AS_OF: as_of.isoformat(),
        REASON: reason,
        "mlflow.source.name": EXPERIMENT,
        "mlflow.source.type": "JOB",
    }
    begun = client.create_run(experiment, run_name=f"{as_of} {reason}"[:LONGEST_NAME], tags=tags)
    # Where two began at once, both go on with the older one.
    run = _oldest(client, experiment, key) or begun
    if run.info.run_id != begun.info.run_id:
        client.delete_run(begun.info.run_id)
    return run


def _oldest(client: MlflowClient, experiment: str, key: str) -> Run | None:
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{_unquoted(key)}'")
    return min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)


def _unquoted(key: str) -> str:
    if not key or "'" in key:
        raise RegistryError(f"a training cannot have the key {key!r}: take letters, digits and . : + - _.")
    return key


def _flat(params: Mapping[str, object], parent: str = "") -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{parent}{name}.")
            continue
        text = as_text(value)
        if len(text) > LONGEST_PARAM:
            raise RegistryError(
                f"the parameter {parent}{name} has {len(text)} characters, and MLflow takes {LONGEST_PARAM}: "
                "keep it as an artifact."
            )
        yield _name(parent + name), text


def as_text(value: object) -> str:
    """Return a value as the text of a tag or a parameter: text as it is, all else as JSON."""
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _name(name: str) -> str:
    return name.replace("@", "_at_")  # which MLflow allows in no name


def _few(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
