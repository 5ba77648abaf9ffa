"""The Model Desk in Airflow's navigation: the champion and all decisions, for users who may read model_promotion."""

from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from rankloop.context import open_context

app = FastAPI(title="Model Desk", openapi_url=None)


@app.get("/", dependencies=[Depends(requires_access_dag("GET", param_dag_id="model_promotion"))])
def model_desk() -> Response:
    """Return the Model Desk page, built for each request."""
    from rankloop.desk.model_desk import render_model_page
    from rankloop.errors import RankloopError

    try:
        with open_context() as context:
            return HTMLResponse(render_model_page(context))
    except RankloopError as error:
        return PlainTextResponse(f"The Model Desk cannot be shown: {error}", status_code=503)


class ModelDesk(AirflowPlugin):
    """The plugin that registers the page with Airflow."""

    name = "model_desk"
    fastapi_apps = ({"app": app, "url_prefix": "/model-desk", "name": "Model Desk"},)
    external_views = (
        {"name": "Model Desk", "href": "/model-desk/", "destination": "nav", "url_route": "model-desk-page"},
    )
