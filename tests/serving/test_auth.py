"""Who is let in, and how often."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Request
from pydantic import SecretStr, ValidationError

from rankloop.serving.app import create_app
from rankloop.serving.auth import ApiKeyAuth
from rankloop.settings import Settings
from rankloop.settings.serving import ServingSettings
from tests.running import free_ports
from tests.serving.shop import running

KEY, OTHER = "a-key-of-the-shop-1", "a-key-of-the-shop-2"
GUARDED = ["/v1/recommendations/7", "/v1/explain/7/8", "/metrics", "/"]


def settings_with(folder: Path, **serving: Any) -> Settings:  # noqa: ANN401  (any setting)
    """An app whose servers are all down; who is let in depends on none."""
    ports = free_ports()
    nobody = f"mongodb://127.0.0.1:{ports.mongo}"
    options = ServingSettings(mongo_timeout_s=0.2, look_every_s=60, **serving)
    return Settings(home=folder, ports=ports, mongo_uri=SecretStr(nobody), serving=options)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an app that has two keys."""
    settings = settings_with(tmp_path_factory.mktemp("locked"), api_keys=(KEY, OTHER))
    with running(settings, ready=False) as client:
        yield client


@pytest.mark.stack
@pytest.mark.parametrize("path", GUARDED)
def test_without_a_key_nobody_is_let_in(locked: httpx.Client, path: str) -> None:
    for headers in ({}, {"x-api-key": "guessed"}, {"authorization": "Bearer guessed"}, {"x-api-key": KEY[:-1]}):
        answer = locked.get(path, headers=headers)
        assert (answer.status_code, set(answer.json())) == (401, {"error"})
        assert "www-authenticate" in answer.headers


@pytest.mark.stack
def test_without_a_key_nothing_is_said_about_what_was_sent(locked: httpx.Client) -> None:
    assert locked.post("/v1/rerank", json={"account_id": -1}).status_code == 401


@pytest.mark.stack
@pytest.mark.parametrize(
    "headers", [{"x-api-key": KEY}, {"x-api-key": OTHER}, {"authorization": f"Bearer {KEY}"}], ids=["1", "2", "bearer"]
)
def test_a_key_lets_in(locked: httpx.Client, headers: dict[str, str]) -> None:
    answer = locked.get("/v1/recommendations/7", headers=headers)
    assert answer.status_code == 503  # there is nothing behind this door, but it is open
    assert KEY not in answer.text


@pytest.mark.stack
def test_a_browser_asks_for_the_key_as_a_password(locked: httpx.Client) -> None:
    assert locked.get("/").headers["www-authenticate"].startswith("Basic")
    assert locked.get("/", auth=("anybody", KEY)).status_code == 200
    assert locked.get("/", headers={"authorization": "Basic ???"}).status_code == 401


@pytest.mark.stack
def test_whether_it_lives_and_is_ready_anybody_may_ask_but_learns_no_address(locked: httpx.Client) -> None:
    assert locked.get("/alive").json() == {"alive": True}
    answer = locked.get("/health")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "127.0.0.1" not in answer.text


def test_requests_at_the_same_time_are_counted_exactly() -> None:
    auth = ApiKeyAuth(ServingSettings(api_keys=(SecretStr(KEY),), requests_a_minute=50))
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})

    async def status() -> int:
        try:
            await auth.authorize(request, KEY, "Bearer")
        except HTTPException as error:
            return error.status_code
        return 200

    async def at_once() -> list[int]:
        return await asyncio.gather(*(status() for _ in range(400)))

    assert Counter(asyncio.run(at_once())) == {200: 50, 429: 350}


@pytest.mark.stack
def test_a_client_over_its_rate_limit_gets_429_with_retry_after(tmp_path: Path) -> None:
    with running(settings_with(tmp_path, api_keys=(KEY, OTHER), requests_a_minute=3), ready=False) as client:
        # The window may end in between, after which another three are answered.
        answers = [client.get("/metrics", headers={"x-api-key": KEY}) for _ in range(8)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert 1 <= int(refused[0].headers["retry-after"]) <= 60
        assert client.get("/metrics", headers={"x-api-key": OTHER}).status_code == 200


def test_without_keys_only_this_machine_is_answered(tmp_path: Path) -> None:
    """However the app was started: behind another server it may listen where its settings do not say."""
    app = create_app(settings_with(tmp_path))

    async def asked_by(client: str) -> int:
        transport = httpx.ASGITransport(app, client=(client, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as found:
            return (await found.get("/metrics")).status_code

    try:
        assert asyncio.run(asked_by("127.0.0.1")) == 200
        assert asyncio.run(asked_by("10.0.0.9")) == 403
    finally:
        app.state.service.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.9", "rankings.example"])  # noqa: S104  (refused)
def test_where_others_reach_it_an_app_without_keys_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="it needs keys: set RANKLOOP_SERVING__API_KEYS"):
        ServingSettings(host=host)
    assert ServingSettings(host=host, api_keys=(SecretStr(KEY),)).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_it_needs_none(host: str) -> None:
    assert ServingSettings(host=host).api_keys == ()


def test_a_key_that_is_soon_guessed_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        ServingSettings(api_keys=("secret",))  # type: ignore[arg-type]
    assert KEY not in repr(ServingSettings(api_keys=(SecretStr(KEY),)))
