"""Rank every buyer for the next day, and publish all rankings at once.

Runs when a day's features are published, and after a promotion. It draws candidates for every buyer, joins them with
the features as of the day, and ranks them with the champion, in ten groups of buyers, into a new batch; `scoring.tasks`
rank side by side. One check of the whole batch, then one pointer moves: the storefront shows the old batch or the new
one, never both. If the champion cannot be loaded, the previous champion ranks, else the base ranking; the batch says
so. It also measures the live results of the day before: personalised buyers against the control group.
Owner: data platform.
If this fails: the live rankings stay live, a day older. Nothing else waits.
Safe to clear: every task, and each group alone; the same is written again. See docs/runbook.md#batch_scoring.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from orchestration import DAY_PARAM, DEFAULT_ARGS, FEATURES, RANKINGS, market_day
from rankloop.settings import load_settings

GROUPS, TASKS = range(10), load_settings().scoring.tasks
SHARES = [list(GROUPS[task::TASKS]) for task in range(TASKS)]
"""The groups of buyers that each task ranks, one after the other."""


@task(pool="mongo")
def plan(dag_run=None, params=None) -> str:
    """Name the batch, and who ranks it; skip where later rankings are live already."""
    from rankloop.scoring.batch import plan
    from rankloop.scoring.publish import outdated

    settings, day = load_settings(), market_day(dag_run, params)
    if why := outdated(settings, day):
        raise AirflowSkipException(why)
    return plan(settings, day, datetime.now(UTC))


@task(pool="scoring", map_index_template="groups {{ task.op_kwargs['groups'] | join(', ') }}")
def rank(batch: str, groups: list) -> list:
    """Rank for some groups of buyers, those whose ids end in these digits."""
    from rankloop.scoring.batch import rank_group

    return [rank_group(load_settings(), batch, group) for group in groups]


@task(pool="mongo")
def check(batch: str) -> dict:
    """Refuse a batch that lacks a buyer, or holds what must not be shown."""
    from rankloop.scoring.publish import check

    return check(load_settings(), batch)


@task(pool="mongo", outlets=[RANKINGS])
def publish(batch: str, outlet_events=None) -> str:
    """Show this batch from now on."""
    from rankloop.scoring.publish import publish

    outcome = publish(load_settings(), batch, datetime.now(UTC))
    outlet_events[RANKINGS].extra = {"batch": batch, "outcome": outcome}
    return outcome


@task(pool="mongo")
def keep_scores(batch: str) -> dict | None:
    """Write what is shown to the lake too, where it is judged once buyers have answered."""
    from rankloop.scoring.publish import keep_scores

    written = keep_scores(load_settings(), batch)
    return written and {"rows": written.rows, "version": written.version, "digest": written.digest}


@task(pool="mongo")
def tidy() -> list:
    """Remove batches that nobody goes back to."""
    from rankloop.scoring.publish import tidy

    return tidy(load_settings())


@task
def judge_shown(dag_run=None, params=None) -> dict:
    """Say what buyers made of the lists of the day before, now that all their answers are in: control and ours."""
    from rankloop.context import open_context
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
    """How the tasks follow each other; each hands on only the name of the batch."""
    batch = plan()
    published = publish(batch)
    rank.partial(batch=batch).expand(groups=SHARES) >> check(batch) >> published
    published >> [keep_scores(batch), tidy()]
    judge_shown()


batch_scoring()
