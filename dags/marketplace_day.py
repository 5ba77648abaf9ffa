"""Simulate one more market day of the shop, and any missed days before it.

It exists only if the shop is simulated, as in the embedded stack.
Owner: data platform.
If this fails: the simulated shop stands still, so there is nothing new for that day. Nothing else breaks.
Safe to clear: the task, any number of times; a day simulated again is the same. See docs/runbook.md#marketplace_day.
"""

from datetime import timedelta

from airflow.sdk import CronPartitionTimetable, dag, task

from orchestration import DAY_PARAM, DEFAULT_ARGS, MARKET_TZ, market_day
from rankloop.settings import load_settings


@dag(
    schedule=CronPartitionTimetable("10 0 * * *", timezone=MARKET_TZ, run_offset=-1, key_format="%Y-%m-%d"),
    default_args=DEFAULT_ARGS,
    doc_md=__doc__,
    tags=["simulator"],
    catchup=False,
    max_active_runs=1,
    # Switched on once there is history to go on from, which `make demo` sees to.
    is_paused_upon_creation=True,
    dagrun_timeout=timedelta(hours=2),
    params=DAY_PARAM,
)
def marketplace_day() -> None:
    """Wire the DAG's one task, which simulates the market day."""

    @task
    def live(dag_run=None, params=None) -> dict[str, int]:
        """Simulate the day and put its documents into MongoDB."""
        from rankloop_demo.simulator.plan import live_up_to

        return live_up_to(load_settings(), market_day(dag_run, params))

    live()


if load_settings().simulated:
    marketplace_day()
