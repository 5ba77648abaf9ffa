"""What went wrong, as JSON: never a stack trace, and with the field where one is to blame."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rankloop.errors import RankloopError, TransientError
from rankloop.serving.serving import NoRankingError

log = logging.getLogger(__name__)
NOT_FOUND, INVALID, WRONG, LATER = 404, 422, 500, 503
ASK_AGAIN_S = "5"


def refuse_in_json(app: FastAPI) -> None:
    """Have the app say all of its errors so."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(NoRankingError, _not_found)
    app.add_exception_handler(TransientError, _later)
    app.add_exception_handler(RankloopError, _wrong)
    app.add_exception_handler(Exception, _wrong)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    problems: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    # What was sent is not sent back: it may be anything, a number that JSON cannot hold among it.
    fields = [{"field": _path(one["loc"]), "problem": one["msg"].removeprefix("Value error, ")} for one in problems]
    return JSONResponse({"error": "the request is not valid; see its fields", "fields": fields}, INVALID)


def _path(where: Sequence[str | int]) -> str:
    inside = where[1:] if where and where[0] in {"body", "path", "query", "header"} else where
    return ".".join(str(part) for part in inside) or "body"


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status, said, headers = WRONG, "", None
    if isinstance(error, HTTPException):
        status, said, headers = error.status_code, str(error.detail), error.headers
    return JSONResponse({"error": said}, status, headers)


async def _not_found(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, NOT_FOUND)


async def _later(_request: Request, error: Exception) -> JSONResponse:
    log.warning("%s", error)
    return JSONResponse({"error": str(error)}, LATER, {"Retry-After": ASK_AGAIN_S})


async def _wrong(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, RankloopError):
        log.error("%s", error)
        return JSONResponse({"error": str(error)}, LATER, {"Retry-After": ASK_AGAIN_S})
    return JSONResponse({"error": "a mistake of ours; the log has it"}, WRONG)
