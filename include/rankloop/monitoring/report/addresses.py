"""Where a day's drift report is: in the lake, within Airflow, and as a whole address."""

from datetime import date

PAGES = "reports/drift"
ADDRESS = "/drift-reports"


def report_path(day: date) -> str:
    """Return where in the lake the report of a day is."""
    return f"{PAGES}/dt={day.isoformat()}/report.html"


def report_link(day: date) -> str:
    """Return the address of a day's report within Airflow, whatever its own address is."""
    return f"{ADDRESS}/{day.isoformat()}"


def report_url(airflow: str, day: date) -> str:
    """Return the whole address of a day's report, for a mail or a terminal."""
    return f"{airflow}{report_link(day)}"
