"""Build many market days of history in two tasks, instead of eleven tasks for each day.

A task is a process, and starting one takes about a second: for a year of history that is an hour. So the days from
`first` to `last` are cut into two parts, each built by one task: it extracts, cleans and aggregates its days, then
builds the features as of each. The result is the same as that of `daily_features`. The assets get one event a day, so
the DAGs that depend on a day run.
Owner: data platform.
If this fails: the days that were not reached have no features. Nothing else waits.
Safe to clear: every task, any number of times; a day built again is the same day. See
docs/runbook.md#features_backfill.
"""

from datetime import timedelta

from airflow.sdk import Param, dag, task

from orchestration import DAY_ASSETS, DEFAULT_ARGS, days_of_backfill
from rankloop.context import open_context

PARTS = 2
"""Tasks side by side; the later one waits for days of the earlier one that its features look back on."""


@task(pool="mongo", map_index_template="part {{ task.op_kwargs['part'] }}")
def build(part: int, params=None) -> list:
    """Build one part of the days."""
    from rankloop.features.whole_day import build_days

    days = days_of_backfill(params, part, PARTS)
    with open_context() as context:
        features, now = context.settings.features, context.clock()
        build_days(context.ingestion, context.engine, features, days, now, accept=params["accept"])
    return [str(day) for day in days]


@task(outlets=DAY_ASSETS)
def publish(built: list, params=None, outlet_events=None) -> None:
    """Publish each day to the Assets page and to the DAGs that depend on it."""
    days = [day for part in built for day in part]
    for asset in DAY_ASSETS:
        outlet_events[asset].extra = {"backfill": f"{params['first']} to {params['last']}"}
        outlet_events[asset].add_partitions(days)


@dag(
    schedule=None,
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["features"],
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=48),
    params={
        "first": Param(type="string", format="date", description="the first market day, YYYY-MM-DD"),
        "last": Param(type="string", format="date", description="the last one"),
        "accept": Param([], type="array", description="checks that each day may fail, on purpose"),
    },
)
def features_backfill() -> None:
    """Build the parts side by side, then publish one asset event for each day."""
    publish(build.expand(part=list(range(PARTS))))


features_backfill()
