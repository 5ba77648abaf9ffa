"""Train a challenger each week, and request its promotion only if it is better than the champion.

When the seven days of a week are published, on request, or when drift asks, it builds the training set, tunes,
trains, evaluates on the newest days, compares with the champion on the same lists, and applies the gate. A challenger
that passes is registered with its evidence, and its promotion is requested. For one that fails, the rules and figures
are recorded, and nobody is asked. The MLflow run has everything.
Owner: data platform.
If this fails: the champion continues to rank, a little older. Nothing else waits.
Safe to clear: every task, alone or with what follows. See docs/runbook.md#continuous_training.
"""

from datetime import timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Param, PartitionedAssetTimetable, RollupMapper, StartOfWeekMapper, WeekWindow, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from orchestration import DAY_PARAM, DEFAULT_ARGS, FEATURES, as_of_day, training_request
from rankloop.settings import load_settings

WEEK = RollupMapper(upstream_mapper=StartOfWeekMapper(input_format="%Y-%m-%d"), window=WeekWindow())
VERSION = "{{ ti.xcom_pull('register') }}"


@task
def plan(dag_run=None, params=None) -> str:
    """Fix the days of each set and begin the run; skip, saying when to come back, where history is too short."""
    from rankloop.training.learning import TooLittleHistoryError, plan

    try:
        return plan(load_settings(), dag_run.run_id, as_of_day(dag_run, params), **training_request(dag_run, params))
    except TooLittleHistoryError as short:
        raise AirflowSkipException(str(short)) from short


@task
def build_training_set(run: str) -> dict:
    """Join the lists of every day with the features of the day before, and with their labels."""
    from rankloop.training.learning import build

    return build(load_settings(), run)["counts"]


@task
def tune(run: str) -> dict:
    """Refuse leaks, learn the preprocessing, and search for the best parameters within the budget."""
    from rankloop.training.learning import tune

    return tune(load_settings(), run)


@task
def train(run: str) -> dict:
    """Fit the model and keep it with the run."""
    from rankloop.training.learning import train

    return train(load_settings(), run)


@task
def evaluate(run: str) -> None:
    """Measure it on every set; the log has the reference's table."""
    from rankloop.training.judging import measure

    measure(load_settings(), run)


@task
def compare(run: str) -> dict:
    """Compare it with the champion on the same newest lists."""
    from rankloop.training.judging import compare_with_champion

    return compare_with_champion(load_settings(), run)


@task.branch
def gate(run: str) -> str:
    """Apply the gate, and write the report for the ML lead."""
    from rankloop.training.judging import gate

    return "register" if gate(load_settings(), run)["passed"] else "record_rejection"


@task
def register(run: str) -> int:
    """Register it as a version, with its evidence: the challenger."""
    from rankloop.training.ending import register_challenger

    return register_challenger(load_settings(), run)


@task
def record_rejection(run: str) -> str:
    """Note by which rules and figures it was rejected; nobody is asked."""
    from rankloop.training.ending import record_rejection

    return record_rejection(load_settings(), run)


@dag(
    schedule=PartitionedAssetTimetable(assets=FEATURES, default_partition_mapper=WEEK),
    default_args={**DEFAULT_ARGS, "pool": "training"},
    doc_md=__doc__,
    tags=["training"],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=24),
    params={
        **DAY_PARAM,
        "reason": Param("somebody asked for it", type="string", minLength=3, description="why, for the report"),
        "drift": Param(False, type="boolean", description="whether drift asks, so that no loss is enough"),
        "trials": Param(
            None, type=["null", "integer"], minimum=0, maximum=10_000, description="sets of parameters to try at most"
        ),
        "since": Param(None, type=["null", "string"], format="date", description="learn from no list before this day"),
    },
)
def continuous_training() -> None:
    """How the tasks follow each other; each hands on only the id of the MLflow run."""
    run = plan()
    judged, registered = gate(run), register(run)
    build_training_set(run) >> tune(run) >> train(run) >> evaluate(run) >> compare(run) >> judged
    judged >> [registered, record_rejection(run)]
    registered >> TriggerDagRunOperator(
        task_id="request_promotion",
        trigger_dag_id="model_promotion",
        trigger_run_id=f"version_{VERSION}",
        conf={"version": VERSION},
        skip_when_already_exists=True,
    )


continuous_training()
