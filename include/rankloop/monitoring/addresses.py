"""Where a day's drift report is: in the lake, and within Airflow."""

from datetime import date

PAGES = "reports/drift"
ADDRESS = "/drift-reports"


def page_of(day: date) -> str:
    """Where in the lake the page of a day is."""
    return f"{PAGES}/dt={day.isoformat()}/report.html"


def link_to(day: date) -> str:
    """The address of a day's page within Airflow, whoever asks."""
    return f"{ADDRESS}/{day.isoformat()}"
