"""The app: what may be asked at which address. Everything behind it is in `serving`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Scope

from rankloop.serving import error_responses, explain, storefront
from rankloop.serving.answers import (
    LARGEST_ID,
    Explanation,
    Health,
    Invalid,
    Ranked,
    Recommendations,
    Recommended,
    Refused,
    RerankAnswer,
    RerankRequest,
)
from rankloop.serving.auth import ApiKeyAuth, require_api_key, require_browser_login
from rankloop.serving.metrics import Metrics
from rankloop.serving.middleware import RequestGuard
from rankloop.serving.ranking import Asked, Scored, score
from rankloop.serving.serving import NotReadyError, Serving
from rankloop.settings import Settings

OPEN = APIRouter()
FOR_PROGRAMS = APIRouter(dependencies=[Depends(require_api_key)])
FOR_PEOPLE = APIRouter(dependencies=[Depends(require_browser_login)], include_in_schema=False)
UNKNOWN_ROUTE = "none"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refused, "description": "no key, or a wrong one"},
    403: {"model": Refused, "description": "there are no keys, and the client is not on this machine"},
    413: {"model": Refused, "description": "the request is too large"},
    422: {"model": Invalid, "description": "the request is not valid"},
    429: {"model": Refused, "description": "too many requests"},
    503: {"model": Refused, "description": "not now; ask again"},
}
NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Refused, "description": "the ranking has no such product"}}
NO_BODY: dict[int | str, dict[str, Any]] = {400: {"model": Refused, "description": "the body cannot be read"}}
Id = Annotated[int, Path(ge=0, le=LARGEST_ID)]
Many = Annotated[int, Query(ge=1, le=1000, description="products at most")]


def serving_of(request: Request) -> Serving:
    """What the app serves."""
    serving: Serving = request.app.state.serving
    return serving


Served = Annotated[Serving, Depends(serving_of)]


@FOR_PROGRAMS.get("/v1/recommendations/{account_id}", responses=REFUSALS)
def recommendations(request: Request, served: Served, account_id: Id, k: Many = 30) -> Recommendations:
    """A buyer's ranking, best first, from the live batch; for a buyer that it does not know, the shop's own best."""
    shown = served.shown(account_id)
    if shown.fallback:
        request.app.state.metrics.fallbacks.inc()
    ranking = shown.ranking
    rows = zip(ranking.products, ranking.scores, ranking.base_scores, ranking.base_ranks, ranking.sources, strict=True)
    products = tuple(
        Recommended(rank=rank, product_id=product, score=got, base_score=base, base_rank=place, sources=by.split("+"))
        for rank, (product, got, base, place, by) in enumerate(rows, 1)
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


@FOR_PROGRAMS.post("/v1/rerank", responses={**REFUSALS, **NO_BODY})
def rerank(served: Served, asked: RerankRequest) -> RerankAnswer:
    """A list ranked now by the champion, with features of the newest day."""
    most = served.settings.serving.most_products
    if len(asked.products) > most:
        problem = {"loc": ("body", "products"), "msg": f"a list has {most} products at most", "type": "too_long"}
        raise RequestValidationError([problem])
    ranker, day = served.ranker, served.day
    if ranker is None or (ranker.model and day is None):
        raise NotReadyError(served.why_not_ready() or "not ready yet; ask again")
    at = asked.ts or datetime.now(UTC)
    products, scores = zip(*((offer.product_id, offer.base_score) for offer in asked.products), strict=True)
    question = Asked(asked.account_id, asked.surface, at, products, scores)
    return _answer(score(ranker, day, question, served.settings.serving.answer_within_s))


def _answer(scored: Scored) -> RerankAnswer:
    asked = scored.asked
    return RerankAnswer(
        account_id=asked.account_id,
        policy=scored.ranker.policy,
        version=scored.ranker.version,
        day=scored.day,
        products=tuple(
            Ranked(
                rank=rank,
                product_id=asked.products[place],
                score=float(scored.scores[place]),
                base_score=asked.base_scores[place],
                base_rank=int(scored.base_ranks[place]),
            )
            for rank, place in enumerate(scored.order, 1)
        ),
    )


@FOR_PROGRAMS.get("/v1/explain/{account_id}/{product_id}", responses={**REFUSALS, **NOT_THERE})
def explained(served: Served, account_id: Id, product_id: Id) -> Explanation:
    """Which features moved this product within the buyer's live ranking, in words."""
    return explain.explain(served, account_id, product_id)


@OPEN.get("/alive")
def alive() -> dict[str, bool]:
    """That the app runs, whether or not it can serve."""
    return {"alive": True}


@OPEN.get("/health", responses={503: {"model": Health, "description": "it cannot serve"}})
def health(served: Served, response: Response) -> Health:
    """Whether it can serve."""
    why, live, day = served.why_not_ready(), served.live, served.day
    response.status_code = error_responses.UNAVAILABLE if why else 200
    return Health(
        ready=not why,
        why=why,
        batch=live.batch if live else None,
        policy=served.ranker.policy if served.ranker else None,
        day=day.day if day else None,
    )


@FOR_PROGRAMS.get("/metrics", include_in_schema=False)
def metrics(request: Request) -> Response:
    """What was counted, for Prometheus."""
    return Response(request.app.state.metrics.page(), media_type=CONTENT_TYPE_LATEST)


@FOR_PEOPLE.get("/", response_class=HTMLResponse)
def shop_front(
    served: Served,
    buyer: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    why: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
) -> HTMLResponse:
    """The storefront: the shop's own shelf beside the buyer's."""
    return HTMLResponse(storefront.page(served, buyer, why))


def make_app(settings: Settings) -> FastAPI:
    """The app of these settings."""
    serving = Serving(settings)
    figures = Metrics(serving)

    @asynccontextmanager
    async def while_it_runs(_app: FastAPI) -> AsyncIterator[None]:
        serving.start()
        yield
        serving.end()

    app = FastAPI(
        title="Rankloop",
        version=version("rankloop"),
        description="Personalised rankings: a buyer's from the live batch, or a list ranked now.",
        lifespan=while_it_runs,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.serving, app.state.metrics = serving, figures
    app.state.auth = ApiKeyAuth(settings.serving)
    for router in (OPEN, FOR_PROGRAMS, FOR_PEOPLE):
        app.include_router(router)
    error_responses.install_error_handlers(app)

    def answered(scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        figures.requests.labels(route, scope["method"] if route != UNKNOWN_ROUTE else "", status).inc()
        figures.seconds.labels(route).observe(seconds)

    if not settings.serving.api_keys:
        # A page of another site could reach this machine by a host name of its own that resolves to 127.0.0.1.
        local = [*LOCAL_HOSTS, settings.serving.host]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=local, www_redirect=False)
    app.add_middleware(RequestGuard, max_products=settings.serving.most_products, on_response=answered)
    return app
