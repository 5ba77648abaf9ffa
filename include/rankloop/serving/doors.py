"""Who may come in, how often, and with how much."""

import hmac
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBearer
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rankloop.settings.serving import ServingSettings, is_loopback

PRODUCT_BYTES = 200
"""What a product of a request takes, written generously."""
SPARE_BYTES = 10_000
UNAUTHORIZED, FORBIDDEN, TOO_MANY, TOO_LARGE, MISDIRECTED = 401, 403, 429, 413, 421
HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="also taken: `Authorization: Bearer <key>`")
BEARER = HTTPBearer(auto_error=False)
BASIC = HTTPBasic(auto_error=False)
SAFE = {
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


class Doorkeeper:
    """Lets in who shows a key; where there are none, who comes from this machine."""

    def __init__(self, options: ServingSettings) -> None:
        self._keys = [sha256(key.get_secret_value().encode()).digest() for key in options.api_keys]
        self._limit = options.requests_a_minute
        self._minute = 0
        self._made: Counter[str] = Counter()
        self._counting = threading.Lock()

    def let_in(self, request: Request, *, ask_people: bool = False) -> None:
        """Refuse whoever has no key, or asks too often; `ask_people` has a browser ask for the key as a password."""
        client = request.client.host if request.client else ""
        if not self._keys:
            self._count(client)
            if not _is_here(client):
                raise HTTPException(
                    FORBIDDEN, "without keys, only this machine is answered; set RANKLOOP_SERVING__API_KEYS"
                )
            return
        shown = sha256(_shown_key(request).encode()).digest()
        # Each is compared, so that how long it takes tells nothing.
        number = [hmac.compare_digest(shown, key) for key in self._keys]
        self._count(f"key {number.index(True)}" if any(number) else client)
        if not any(number):
            headers = {"WWW-Authenticate": 'Basic realm="Rankloop"' if ask_people else "Bearer"}
            raise HTTPException(UNAUTHORIZED, "show a key: X-API-Key, or Authorization: Bearer", headers)

    def _count(self, who: str) -> None:
        minute, second = divmod(int(time.time()), 60)
        with self._counting:
            if minute != self._minute:
                self._minute, self._made = minute, Counter()
            self._made[who] += 1
            many = self._made[who]
        if many > self._limit:
            headers = {"Retry-After": str(60 - second)}
            raise HTTPException(TOO_MANY, f"more than {self._limit} requests a minute; ask again later", headers)


def _shown_key(request: Request) -> str:
    """As programs show it, or as a browser sends a password."""
    if key := request.headers.get("x-api-key"):
        return key
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:
                return ""
    return ""


def _is_here(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False


def _keeper(request: Request) -> Doorkeeper:
    keeper: Doorkeeper = request.app.state.doorkeeper
    return keeper


def program(
    request: Request,
    keeper: Annotated[Doorkeeper, Depends(_keeper)],
    _header: Annotated[object, Depends(HEADER)],
    _bearer: Annotated[object, Depends(BEARER)],
) -> None:
    """A program that shows its key."""
    keeper.let_in(request)


def person(
    request: Request, keeper: Annotated[Doorkeeper, Depends(_keeper)], _basic: Annotated[object, Depends(BASIC)]
) -> None:
    """A person whose browser asks for the key."""
    keeper.let_in(request, ask_people=True)


Answered = Callable[[Scope, int, float], None]


class Threshold:
    """Around the whole app: what is too large or addressed to another is refused, what is answered is counted."""

    def __init__(self, app: ASGIApp, options: ServingSettings, answered: Answered) -> None:
        self._app = app
        self._most_bytes = SPARE_BYTES + PRODUCT_BYTES * options.most_products
        self._open = not options.api_keys
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *SAFE.items()]
            await send(message)

        try:
            app = self._refusal(scope) or self._app
            await app(scope, receive if app is not self._app else self._bounded(receive), safely)
        finally:
            self._answered(scope, status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._most_bytes:
            return _too_large(self._most_bytes)
        # Without keys, a page of somebody else's could reach us by a name of its own that leads here.
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if self._open and not is_loopback(host.strip("[]")):
            return JSONResponse({"error": "without keys, only 127.0.0.1 and localhost are answered"}, MISDIRECTED)
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """The body, cut off where it is too long: whoever sends it in pieces need not say how long it is."""
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most_bytes:
                raise HTTPException(TOO_LARGE, _size_words(self._most_bytes))
            return message

        return bounded


def _too_large(most: int) -> ASGIApp:
    return JSONResponse({"error": _size_words(most)}, TOO_LARGE)


def _size_words(most: int) -> str:
    return f"a request has {most} bytes at most"
