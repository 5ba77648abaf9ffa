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
from rankloop.context import open_context

WEEK = RollupMapper(upstream_mapper=StartOfWeekMapper(input_format="%Y-%m-%d"), window=WeekWindow())
VERSION = "{{ ti.xcom_pull('register') }}"


@task
def plan(dag_run=None, params=None) -> str:
    """Plan the days of each set and start the MLflow run; skip while history is too short, and say until when."""
    from rankloop.training.fitting import TooLittleHistoryError, plan_training

    try:
        with open_context() as context:
            day, request = as_of_day(dag_run, params), training_request(dag_run, params)
            return plan_training(context, dag_run.run_id, day, **request)
    except TooLittleHistoryError as short:
        raise AirflowSkipException(str(short)) from short


@task
def build_training_set(run: str) -> dict:
    """Join the lists of every day with the features of the day before, and with their labels."""
    from rankloop.training.fitting import build_training_set

    with open_context() as context:
        return build_training_set(context, run)["counts"]


@task
def tune(run: str) -> dict:
    """Check for leakage, fit the preprocessing, and search the parameters within the budget."""
    from rankloop.training.fitting import tune_ranker

    with open_context() as context:
        return tune_ranker(context, run)


@task
def train(run: str) -> dict:
    """Fit the model and upload it to the run."""
    from rankloop.training.fitting import train_ranker

    with open_context() as context:
        return train_ranker(context, run)


@task
def evaluate(run: str) -> None:
    """Evaluate the model on every set; the task's log has the table of metrics."""
    from rankloop.training.evaluation import evaluate_model

    with open_context() as context:
        evaluate_model(context, run)


@task
def compare(run: str) -> dict:
    """Compare the model with the champion on the same newest lists."""
    from rankloop.training.evaluation import compare_with_champion

    with open_context() as context:
        return compare_with_champion(context, run)


@task.branch
def gate(run: str) -> str:
    """Apply the gate, and write the report for the ML lead."""
    from rankloop.training.evaluation import apply_gate

    with open_context() as context:
        return "register" if apply_gate(context, run)["passed"] else "record_rejection"


@task
def register(run: str) -> int:
    """Register the model and its evidence as the challenger."""
    from rankloop.training.registration import register_challenger

    with open_context() as context:
        return register_challenger(context, run)


@task
def record_rejection(run: str) -> str:
    """Record the rules that failed, with their figures; no approval is requested."""
    from rankloop.training.registration import record_rejection

    with open_context() as context:
        return record_rejection(context, run)


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
        "reason": Param("manual", type="string", minLength=3, description="why, for the report"),
        "drift": Param(False, type="boolean", description="whether drift triggers it: then it passes without a gain"),
        "trials": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=10_000,
            description="parameter sets to try at most",
        ),
        "since": Param(None, type=["null", "string"], format="date", description="train on no list before this day"),
    },
)
def continuous_training() -> None:
    """Wire the tasks; each passes on only the id of the MLflow run."""
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
