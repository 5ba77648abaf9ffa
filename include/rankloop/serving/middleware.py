"""ASGI middleware of the serving app: the size of requests, security headers, and the report of each response."""

import time
from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PRODUCT_BYTES = 200
"""The size of one product in a request, generously estimated."""
OTHER_BYTES = 10_000
CONTENT_TOO_LARGE = 413
SECURITY_HEADERS = {
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}

OnResponse = Callable[[Scope, int, float], None]


class RequestGuard:
    """Rejects requests that are too large, adds security headers, and calls `on_response` after each request.

    Starlette has no limit on the size of a body, and nothing that sees each response of the whole app with its time.
    """

    def __init__(self, app: ASGIApp, max_products: int, on_response: OnResponse) -> None:
        self._app = app
        self._max_bytes = OTHER_BYTES + PRODUCT_BYTES * max_products
        self._on_response = on_response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *SECURITY_HEADERS.items()]
            await send(message)

        try:
            if self._announces_too_much(scope):
                response = JSONResponse({"error": self._too_large()}, CONTENT_TOO_LARGE)
                await response(scope, receive, send_with_headers)
            else:
                await self._app(scope, self._bounded(receive), send_with_headers)
        finally:
            self._on_response(scope, status, time.perf_counter() - began)

    def _announces_too_much(self, scope: Scope) -> bool:
        length = Headers(scope=scope).get("content-length", "0")
        return length.isdecimal() and int(length) > self._max_bytes

    def _bounded(self, receive: Receive) -> Receive:
        """Return a `receive` that fails once the body is too long: a chunked request announces no length."""
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(CONTENT_TOO_LARGE, self._too_large())
            return message

        return bounded

    def _too_large(self) -> str:
        return f"the request is larger than {self._max_bytes} bytes"
