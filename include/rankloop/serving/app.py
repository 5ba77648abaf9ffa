"""The serving app: its routes and how it is put together. What answers them is in `service`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Scope

from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import lazy_client, mongo_timeout
from rankloop.registry.connection import Registry
from rankloop.serving.auth import ApiKeyAuth, require_api_key, require_browser_login
from rankloop.serving.error_responses import UNAVAILABLE, install_error_handlers
from rankloop.serving.explanation import explain_product
from rankloop.serving.metrics import ServingMetrics
from rankloop.serving.middleware import RequestGuard
from rankloop.serving.rerank import ListToRank, RankedList, rank_list
from rankloop.serving.schemas import (
    MAX_ID,
    ErrorResponse,
    Explanation,
    Health,
    RankedProduct,
    Recommendations,
    RecommendedProduct,
    RerankRequest,
    RerankResponse,
    ValidationErrorResponse,
)
from rankloop.serving.service import NotReadyError, RankingService, ServingConnections
from rankloop.serving.storefront import render_storefront
from rankloop.settings import Settings

PUBLIC = APIRouter()
API = APIRouter(dependencies=[Depends(require_api_key)])
PAGES = APIRouter(dependencies=[Depends(require_browser_login)], include_in_schema=False)
UNKNOWN_ROUTE = "none"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorResponse, "description": "no API key, or an unknown one"},
    403: {"model": ErrorResponse, "description": "no API keys are set, and the client is not on this machine"},
    413: {"model": ErrorResponse, "description": "the request is too large"},
    422: {"model": ValidationErrorResponse, "description": "the request is not valid"},
    429: {"model": ErrorResponse, "description": "too many requests"},
    503: {"model": ErrorResponse, "description": "not now; retry"},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorResponse, "description": "the ranking has no such product"}
}
BAD_BODY: dict[int | str, dict[str, Any]] = {400: {"model": ErrorResponse, "description": "the body cannot be read"}}
Id = Annotated[int, Path(ge=0, le=MAX_ID)]
ProductCount = Annotated[int, Query(ge=1, le=1000, description="products at most")]


def ranking_service(request: Request) -> RankingService:
    """Return the service of the app that got the request."""
    service: RankingService = request.app.state.service
    return service


Service = Annotated[RankingService, Depends(ranking_service)]


@API.get("/v1/recommendations/{account_id}", responses=ERRORS)
def recommendations(request: Request, service: Service, account_id: Id, k: ProductCount = 30) -> Recommendations:
    """Return a buyer's ranking in the live batch, best first; for a buyer it does not have, the shop's own best."""
    shown = service.live_ranking(account_id)
    if shown.fallback:
        request.app.state.metrics.fallbacks.inc()
    ranking = shown.ranking
    rows = zip(ranking.products, ranking.scores, ranking.base_scores, ranking.base_ranks, ranking.sources, strict=True)
    products = tuple(
        RecommendedProduct(
            rank=rank,
            product_id=product,
            score=score,
            base_score=base_score,
            base_rank=base_rank,
            sources=tuple(sources.split("+")),
        )
        for rank, (product, score, base_score, base_rank, sources) in enumerate(rows, 1)
        if rank <= k
    )
    return Recommendations(
        account_id=account_id,
        batch=shown.live.batch,
        day=shown.live.day,
        policy=ranking.policy,
        version=shown.version,
        fallback=shown.fallback,
        products=products,
    )


@API.post("/v1/rerank", responses={**ERRORS, **BAD_BODY})
def rerank(service: Service, body: RerankRequest) -> RerankResponse:
    """Return a list ranked now by the champion, with the features of the newest day."""
    limit = service.options.most_products
    if len(body.products) > limit:
        problem = {"loc": ("body", "products"), "msg": f"a list has {limit} products at most", "type": "too_long"}
        raise RequestValidationError([problem])
    ranker, day = service.ranker, service.day
    if ranker is None or (ranker.model and day is None):
        raise NotReadyError(service.why_not_ready() or "not ready yet; retry")
    at = body.ts or datetime.now(UTC)
    products, scores = zip(*((item.product_id, item.base_score) for item in body.products), strict=True)
    request = ListToRank(body.account_id, body.surface, at, products, scores)
    return _rerank_response(rank_list(ranker, day, request, service.options.answer_within_s))


def _rerank_response(ranked: RankedList) -> RerankResponse:
    request = ranked.request
    return RerankResponse(
        account_id=request.account_id,
        policy=ranked.ranker.policy,
        version=ranked.ranker.version,
        day=ranked.day,
        products=tuple(
            RankedProduct(
                rank=rank,
                product_id=request.products[index],
                score=float(ranked.scores[index]),
                base_score=request.base_scores[index],
                base_rank=int(ranked.base_ranks[index]),
            )
            for rank, index in enumerate(ranked.order, 1)
        ),
    )


@API.get("/v1/explain/{account_id}/{product_id}", responses={**ERRORS, **NOT_FOUND})
def explanation(service: Service, account_id: Id, product_id: Id) -> Explanation:
    """Return which features moved this product within the buyer's live ranking."""
    return explain_product(service, account_id, product_id)


@PUBLIC.get("/alive")
def alive() -> dict[str, bool]:
    """Return that the app runs, whether or not it can serve."""
    return {"alive": True}


@PUBLIC.get("/health", responses={503: {"model": Health, "description": "the app cannot serve"}})
def health(service: Service, response: Response) -> Health:
    """Return whether the app can serve, and what keeps it from it."""
    why, live, day = service.why_not_ready(), service.live, service.day
    response.status_code = UNAVAILABLE if why else 200
    return Health(
        ready=not why,
        why=why,
        batch=live.batch if live else None,
        policy=service.ranker.policy if service.ranker else None,
        day=day.day if day else None,
    )


@API.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus."""
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE_LATEST)


@PAGES.get("/", response_class=HTMLResponse)
def storefront(
    service: Service,
    buyer: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    why: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
) -> HTMLResponse:
    """Return the storefront: the shop's own ranking beside the buyer's."""
    return HTMLResponse(render_storefront(service, buyer, why))


def _open_service(settings: Settings) -> RankingService:
    connections = ServingConnections(
        state=lazy_client(settings.mongo),
        state_timeout=partial(mongo_timeout, settings.mongo, settings.serving.mongo_timeout_s),
        registry=Registry(settings.mlflow),
        features=FeatureStore(Lake(settings.lake_root), settings.features, settings.zone),
    )
    return RankingService(connections, settings.serving, settings.scoring.hour)


def create_app(settings: Settings) -> FastAPI:
    """Return the app; it connects when it starts, and waits for servers that are down."""
    service = _open_service(settings)
    metrics = ServingMetrics(service)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = FastAPI(
        title="Rankloop",
        version=version("rankloop"),
        description="Personalised rankings: a buyer's from the live batch, or a list ranked now.",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from another site
        redoc_url=None,
    )
    app.state.service, app.state.metrics = service, metrics
    app.state.auth = ApiKeyAuth(settings.serving)
    for router in (PUBLIC, API, PAGES):
        app.include_router(router)
    install_error_handlers(app)

    def on_response(scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        metrics.requests.labels(route, scope["method"] if route != UNKNOWN_ROUTE else "", status).inc()
        metrics.seconds.labels(route).observe(seconds)

    if not settings.serving.api_keys:
        # A page of another site could reach this machine by a host name of its own that resolves to 127.0.0.1.
        local = [*LOCAL_HOSTS, settings.serving.host]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=local, www_redirect=False)
    app.add_middleware(RequestGuard, max_products=settings.serving.most_products, on_response=on_response)
    return app
