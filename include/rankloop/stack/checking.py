"""Has Airflow check a day for drift, and watches until it is judged."""

from collections.abc import Callable
from datetime import date

from rankloop.settings import Settings
from rankloop.stack.airflow_api import signed_in, switch_on
from rankloop.stack.watching import ask_for, run_of, watch_on

DAG = "drift_checks"


def check_day(settings: Settings, day: date, on_task: Callable[[str], None]) -> None:
    """Return once drift_checks has run for this day with success; a day that it has checked is not checked again."""
    switch_on(settings, DAG)
    api = signed_in(settings, "admin")
    watch_on(api, DAG, run_of(api, DAG, day) or ask_for(api, DAG, day), on_task)
