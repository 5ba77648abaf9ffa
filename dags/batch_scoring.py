"""Rank every buyer for the next day, and publish all rankings at once.

Runs when a day's features are published, and after a promotion. It draws candidates for every buyer, joins them with
the features as of the day, and ranks them with the champion, in ten shards of the buyers, into a new batch;
`scoring.tasks` rank side by side. One check of the whole batch, then one pointer moves: the storefront shows the old
batch or the new one, never both. If the champion cannot be loaded, the previous champion ranks, else the base ranking;
the batch says so. It also measures the live results of the day before: personalised buyers against the control group.
Owner: data platform.
If this fails: the live rankings stay live, a day older. Nothing else waits.
Safe to clear: every task, and each of `rank` alone; the same is written again. See docs/runbook.md#batch_scoring.
"""

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from orchestration import DAY_PARAM, DEFAULT_ARGS, FEATURES, RANKINGS, market_day
from rankloop.context import open_context
from rankloop.settings import load_settings

SHARDS, TASKS = range(10), load_settings().scoring.tasks
SHARDS_BY_TASK = [list(SHARDS[task::TASKS]) for task in range(TASKS)]
"""The shards of the buyers that each task ranks, one after the other."""


@task(pool="mongo")
def plan(dag_run=None, params=None) -> str:
    """Name the batch and choose its ranker; skip if later rankings are live already."""
    from rankloop.scoring.batch import plan_batch
    from rankloop.scoring.publishing import superseded_reason

    day = market_day(dag_run, params)
    with open_context() as context:
        if reason := superseded_reason(context.state, day):
            raise AirflowSkipException(reason)
        return plan_batch(context, day)


@task(pool="scoring", map_index_template="shards {{ task.op_kwargs['shards'] | join(', ') }}")
def rank(batch: str, shards: list) -> list:
    """Rank for some shards of the buyers, those whose ids end in these digits."""
    from rankloop.scoring.batch import rank_shards

    with open_context() as context:
        return rank_shards(context, batch, shards)


@task(pool="mongo")
def check(batch: str) -> dict:
    """Fail if the batch lacks a buyer, or holds what must not be shown."""
    from rankloop.scoring.validation import validate_batch

    with open_context() as context:
        return validate_batch(context.state, context.lake, batch)


@task(pool="mongo", outlets=[RANKINGS])
def publish(batch: str, outlet_events=None) -> str:
    """Make this batch live."""
    from rankloop.scoring.publishing import publish_if_current

    with open_context() as context:
        outcome = publish_if_current(context.state, context.registry, batch, context.clock())
    outlet_events[RANKINGS].extra = {"batch": batch, "outcome": outcome}
    return outcome


@task(pool="mongo")
def archive(batch: str) -> dict | None:
    """Write the live batch to the lake, where it is measured once buyers have reacted."""
    from rankloop.scoring.archive import archive_batch

    with open_context() as context:
        written = archive_batch(context.state, context.lake, batch)
    return written and {"rows": written.rows, "version": written.version, "digest": written.digest}


@task(pool="mongo")
def old_batches() -> list:
    """Remove batches that no rollback needs."""
    from rankloop.scoring.archive import remove_old_batches

    with open_context() as context:
        return remove_old_batches(context.state, context.registry, context.settings.scoring.keep_batches)


@task
def judge_shown(dag_run=None, params=None) -> dict:
    """Measure how buyers reacted to the lists of the day before: the control group beside personalised buyers."""
    from rankloop.monitoring.measure.live_results import measure_live_results

    with open_context() as context:
        return measure_live_results(context, market_day(dag_run, params) - timedelta(days=1))


@dag(
    schedule=PartitionedAssetTimetable(assets=FEATURES),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["scoring"],
    catchup=False,
    max_active_runs=1,
    # A backfill of features is no reason to rank for days that are long over.
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=6),
    params=DAY_PARAM,
)
def batch_scoring() -> None:
    """Wire the tasks in their order; each passes on only the name of the batch."""
    batch = plan()
    published = publish(batch)
    rank.partial(batch=batch).expand(shards=SHARDS_BY_TASK) >> check(batch) >> published
    published >> [archive(batch), old_batches()]
    judge_shown()


batch_scoring()
