"""Authentication and rate limits of the serving app: who may ask, and how often."""

import hmac
import math
import time
from hashlib import sha256
from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from rankloop.settings.serving import ServingSettings

UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS = 401, 403, 429
API_KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="or `Authorization: Bearer <key>`")
BEARER = HTTPBearer(auto_error=False)
BASIC = HTTPBasic(auto_error=False, realm="Rankloop")


class ApiKeyAuth:
    """Accepts requests with a valid API key; without configured keys, only those from this machine."""

    def __init__(self, options: ServingSettings) -> None:
        self._key_digests = [sha256(key.get_secret_value().encode()).digest() for key in options.api_keys]
        self._rate = RateLimitItemPerMinute(options.requests_a_minute)
        # Of asyncio, and awaited on the event loop alone: the threaded storage of `limits` loses counts in a race.
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def authorize(self, request: Request, api_key: str, challenge: str) -> None:
        """Raise 401 or 403 for a client that may not ask, and 429 for one that asks too often.

        `challenge` is the `WWW-Authenticate` header of a 401.
        """
        client = request.client.host if request.client else ""
        if not self._key_digests:
            await self._limit_rate(client)
            if not _is_this_machine(client):
                raise HTTPException(
                    FORBIDDEN,
                    "without API keys, only clients on this machine are answered; set RANKLOOP_SERVING__API_KEYS",
                )
            return
        digest = sha256(api_key.encode()).digest()
        # Compare with every key, so that the time it takes tells nothing about them.
        matches = [hmac.compare_digest(digest, known) for known in self._key_digests]
        await self._limit_rate(f"key {matches.index(True)}" if any(matches) else client)
        if not any(matches):
            raise HTTPException(
                UNAUTHORIZED,
                "no API key, or an unknown one; send X-API-Key: <key>, or Authorization: Bearer <key>",
                {"WWW-Authenticate": challenge},
            )

    async def _limit_rate(self, client: str) -> None:
        if await self._limiter.hit(self._rate, client):
            return
        window = await self._limiter.get_window_stats(self._rate, client)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        raise HTTPException(
            TOO_MANY_REQUESTS,
            f"more than {self._rate.amount} requests a minute; retry in {seconds} s",
            {"Retry-After": str(seconds)},
        )


def _is_this_machine(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False


def presented_key(
    header: Annotated[str | None, Depends(API_KEY_HEADER)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    basic: Annotated[HTTPBasicCredentials | None, Depends(BASIC)],
) -> str:
    """Return the API key that a request carries: in a header, or as a browser's password; empty if there is none."""
    return header or (bearer.credentials if bearer else "") or (basic.password if basic else "")


def _api_key_auth(request: Request) -> ApiKeyAuth:
    auth: ApiKeyAuth = request.app.state.auth
    return auth


Auth = Annotated[ApiKeyAuth, Depends(_api_key_auth)]
PresentedKey = Annotated[str, Depends(presented_key)]


async def require_api_key(request: Request, auth: Auth, api_key: PresentedKey) -> None:
    """Require an API key from a program."""
    await auth.authorize(request, api_key, "Bearer")


async def require_browser_login(request: Request, auth: Auth, api_key: PresentedKey) -> None:
    """Require an API key from a person, whose browser asks for it as a password."""
    await auth.authorize(request, api_key, 'Basic realm="Rankloop"')
