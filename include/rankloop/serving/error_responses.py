"""Error responses of the serving app: JSON, never a stack trace, and with the name of each invalid field."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rankloop.errors import RankloopError, TransientError
from rankloop.serving.service import NoRankingError

log = logging.getLogger(__name__)
NOT_FOUND, UNPROCESSABLE, INTERNAL_ERROR, UNAVAILABLE = 404, 422, 500, 503
RETRY_AFTER_S = "5"


def install_error_handlers(app: FastAPI) -> None:
    """Register a handler for each kind of error."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(NoRankingError, _not_found)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(RankloopError, _rankloop_error)
    app.add_exception_handler(Exception, _internal_error)


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    # Never send back what was sent: it may be anything, such as a number that JSON cannot hold.
    fields = [
        {"field": _field_path(problem["loc"]), "problem": problem["msg"].removeprefix("Value error, ")}
        for problem in problems
    ]
    return JSONResponse({"error": "the request is not valid; see its fields", "fields": fields}, UNPROCESSABLE)


def _field_path(location: Sequence[str | int]) -> str:
    inside = location[1:] if location and location[0] in {"body", "path", "query", "header"} else location
    return ".".join(str(part) for part in inside) or "body"


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _not_found(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, NOT_FOUND)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    log.warning("%s", error)
    return JSONResponse({"error": str(error)}, UNAVAILABLE, {"Retry-After": RETRY_AFTER_S})


async def _rankloop_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("%s", error)
    return JSONResponse({"error": str(error)}, UNAVAILABLE, {"Retry-After": RETRY_AFTER_S})


async def _internal_error(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": "internal error; see the log of the app"}, INTERNAL_ERROR)
