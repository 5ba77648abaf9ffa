"""Where a day's drift report is: in the lake, within Airflow, and for whoever reads of it elsewhere."""

from datetime import date

from rankloop.settings import Settings

PAGES = "reports/drift"
ADDRESS = "/drift-reports"


def page_of(day: date) -> str:
    """Where in the lake the page of a day is."""
    return f"{PAGES}/dt={day.isoformat()}/report.html"


def link_to(day: date) -> str:
    """The address of a day's page within Airflow, whoever asks."""
    return f"{ADDRESS}/{day.isoformat()}"


def address_of(settings: Settings, day: date) -> str:
    """The whole address of a day's page, for a mail or a terminal."""
    return f"{settings.airflow}{link_to(day)}"
