"""The Model Desk, in Airflow's navigation: who is champion and what was decided, for who may see model_promotion."""

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

app = FastAPI(title="Model Desk", openapi_url=None)


@app.get("/", dependencies=[Depends(requires_access_dag("GET", param_dag_id="model_promotion"))])
def model_desk() -> Response:
    """The page. Read anew each time: what it says is what holds now."""
    from rankloop.desk.model_desk import desk
    from rankloop.errors import RankloopError
    from rankloop.settings import load_settings

    try:
        return HTMLResponse(desk(load_settings()))
    except RankloopError as error:
        return PlainTextResponse(f"The Model Desk cannot be shown: {error}", status_code=503)


class ModelDesk(AirflowPlugin):
    """What Airflow is told of it."""

    name = "model_desk"
    fastapi_apps = ({"app": app, "url_prefix": "/model-desk", "name": "Model Desk"},)
    external_views = (
        {"name": "Model Desk", "href": "/model-desk/", "destination": "nav", "url_route": "model-desk-page"},
    )
