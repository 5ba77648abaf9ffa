"""Each day's drift report at an address of its own, for who may see batch_scoring."""

from datetime import date

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

app = FastAPI(title="Drift reports", openapi_url=None)


@app.get("/{day}", dependencies=[Depends(requires_access_dag("GET", param_dag_id="batch_scoring"))])
def drift_report(day: date) -> Response:
    """Return the drift report of a market day as the HTML page that was stored."""
    from rankloop.context import open_context
    from rankloop.errors import RankloopError
    from rankloop.monitoring.report.drift_report import read_report

    try:
        with open_context() as context:
            page = read_report(context.lake, day)
    except RankloopError as error:
        return PlainTextResponse(f"The drift report of {day} cannot be read: {error}", status_code=503)
    if page is None:
        return PlainTextResponse(
            f"There is no drift report of {day}; the task that makes it skipped or has not run.", 404
        )
    return HTMLResponse(page)


class DriftReports(AirflowPlugin):
    """The plugin as Airflow registers it."""

    name = "drift_reports"
    fastapi_apps = ({"app": app, "url_prefix": "/drift-reports", "name": "Drift reports"},)
