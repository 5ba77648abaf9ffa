"""Turn one market day of raw events into features; the same day always gives the same features.

One partition a market day: wait until the day is over, extract the four sources from MongoDB, clean and check them,
aggregate the day, build the features as of its end, publish. The Assets page shows each day's rows and how many are in
quarantine.
Owner: data platform.
If this fails: the day's rankings and drift checks wait; yesterday's rankings stay live.
Safe to clear: every task, any number of times; a day built again is the same day. See docs/runbook.md#daily_features.
To accept a day that failed a check: trigger a run with its partition key, and name the check in `accept`.
For many days of history: the DAG `features_backfill`.
"""

from dataclasses import asdict
from datetime import timedelta

from airflow.sdk import CronPartitionTimetable, DeadlineAlert, DeadlineReference, Param, SyncCallback, dag, task
from airflow.sdk.exceptions import DownstreamTasksSkipped

from orchestration import DAY_ASSETS, DAY_PARAM, DEFAULT_ARGS, SENSOR_ARGS, describe_assets, market_day
from rankloop.context import open_context
from rankloop.settings import load_settings

SOURCES = ["buyers", "products", "impressions", "interactions"]
CHECKS = ["empty_day", "small_day", "bad_rows"]
IN_STEPS, AT_ONCE = [("extract", number) for number in range(len(SOURCES))], ["whole_day"]
"""The two ways to do a day, by the tasks that they begin with."""
AGREED_HOURS = load_settings().deadline_hours


@task.sensor(**SENSOR_ARGS)
def day_is_over(dag_run=None, params=None) -> bool:
    """Wait until the shop has marked the day complete, if it does so; then go on in steps or at once."""
    with open_context() as context:
        if not context.source.is_complete(market_day(dag_run, params)):
            return False
    raise DownstreamTasksSkipped(tasks=IN_STEPS if params["at_once"] else AT_ONCE)


@task(pool="mongo", map_index_template="{{ task.op_kwargs['source'] }}")
def extract(source: str, dag_run=None, params=None) -> dict:
    """Read one source's day into the lake, without a personal field."""
    from rankloop.events.extraction import extract_day

    with open_context() as context:
        return asdict(extract_day(context.ingestion, market_day(dag_run, params), source, context.clock()))


@task(pool="mongo")
def clean(dag_run=None, params=None) -> dict:
    """Repair and validate the day's rows; those that are not valid go to quarantine with their reason."""
    from rankloop.events.tasks import clean_day

    with open_context() as context:
        return clean_day(context.ingestion, market_day(dag_run, params), context.clock(), params["accept"])


@task
def aggregate(dag_run=None, params=None) -> dict:
    """Sum the day up: by buyer, product, shop, category and word."""
    from rankloop.features.build import aggregate_day

    with open_context() as context:
        features, zone = context.settings.features, context.settings.zone
        return aggregate_day(context.lake, context.engine, features, zone, market_day(dag_run, params)).summary()


@task.sensor(**SENSOR_ARGS)
def earlier_days(dag_run=None, params=None) -> bool:
    """Wait until the days that this one looks back on are aggregated: in a backfill they may still be running."""
    from rankloop.events.tasks import first_day_of_events
    from rankloop.features.build import window_is_complete

    day = market_day(dag_run, params)
    with open_context() as context:
        begun = first_day_of_events(context.ingestion, day)
        return window_is_complete(context.lake, context.settings.features, day, begun)


@task
def build(dag_run=None, params=None) -> dict:
    """Roll the last days up into the features as of the end of this one."""
    from rankloop.features.build import build_features

    with open_context() as context:
        features, zone = context.settings.features, context.settings.zone
        return build_features(context.lake, context.engine, features, zone, market_day(dag_run, params)).summary()


@task(outlets=DAY_ASSETS)
def publish(dag_run=None, params=None, outlet_events=None) -> None:
    """Announce the day and its contents to the DAGs that follow and to the Assets page."""
    with open_context() as context:
        describe_assets(outlet_events, context, market_day(dag_run, params))


@task(pool="mongo", outlets=DAY_ASSETS)
def whole_day(dag_run=None, params=None, outlet_events=None) -> None:
    """Run all steps in one task, for days of history."""
    from rankloop.features.whole_day import build_days

    day = market_day(dag_run, params)
    with open_context() as context:
        features, now = context.settings.features, context.clock()
        build_days(context.ingestion, context.engine, features, [day], now, accept=params["accept"])
        describe_assets(outlet_events, context, day)


@task(pool="mongo")
def look_back(dag_run=None, params=None) -> list:
    """Count the late events of the days before; on-call gets an alert for a day that is worth clearing."""
    from rankloop.events.tasks import report_late_events

    with open_context() as context:
        return report_late_events(context.ingestion, market_day(dag_run, params), context.clock())


@dag(
    schedule=CronPartitionTimetable(
        "0 1 * * *", timezone=load_settings().timezone, run_offset=-1, key_format="%Y-%m-%d"
    ),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["features"],
    catchup=False,
    max_active_runs=2,
    # A day looks back on those before it: build those by a backfill before you switch it on.
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=12),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=AGREED_HOURS),
        callback=SyncCallback("rankloop.monitoring.act.late_day.day_is_late", kwargs={"hours": AGREED_HOURS}),
    ),
    params={
        **DAY_PARAM,
        "accept": Param([], type="array", examples=CHECKS, description="checks that the day may fail, on purpose"),
        "at_once": Param(False, type="boolean", description="all in one task, for days of history"),
    },
)
def daily_features() -> None:
    """Wire the tasks: extract each source, clean, aggregate, build the features and publish them."""
    extracted = extract.expand(source=SOURCES)
    day_is_over() >> [extracted, whole_day()]
    extracted >> clean() >> aggregate() >> earlier_days() >> build() >> publish()
    extracted >> look_back()


daily_features()
