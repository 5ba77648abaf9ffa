"""A day from the lake to what is done about it: with a real champion, its importance, and rankings that are live."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from rankloop.context import open_context
from rankloop.mongo import connect
from rankloop.monitoring.policy.verdict import Verdict
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import MODEL
from rankloop.scoring.publishing import publish_if_current
from rankloop.scoring.ranker import choose_ranker
from rankloop.settings import Settings
from rankloop.settings.monitoring import MonitoringSettings
from rankloop.state import actions, rankings
from rankloop.state.rankings import Batch
from rankloop.training.record import IMPORTANCE as NOTED
from tests.building import lake_of
from tests.mlflow_server import serving
from tests.monitoring.entries import (
    apply_fallback,
    choose_action,
    judge_market_day,
    retraining_request,
    update_incidents,
)
from tests.monitoring.measured_rows import DAY, IMPORTANCE, Measured, against, before, psi, write, wrong_unit
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def mlflow_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow for these tests."""
    with serving(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def shop(mongo: str, mlflow_address: str, tmp_path: Path) -> Iterator[Shop]:
    """A shop in which nothing was decided or measured yet; what is called for is done."""
    policy = MonitoringSettings(mode="on")
    shop = Shop(Settings(home=tmp_path, mongo_uri=SecretStr(mongo), mlflow_uri=mlflow_address, monitoring=policy))
    yield shop
    if shop.mlflow.search_registered_models():
        shop.mlflow.delete_registered_model(MODEL)


def of(number: int, rows: list[Measured]) -> list[Measured]:
    """The rows as of this version."""
    return [(table, one | {"version": number if one["version"] else None}) for table, one in rows]


def drifted(number: int) -> list[Measured]:
    """Two days on which the price moved, which is half of what counts."""
    return of(number, [*psi(DAY, product_price=0.6), *psi(before(1), product_price=0.6)])


def done(settings: Settings, rows: list[Measured]) -> tuple[Verdict, str]:
    """What is said and done about the day."""
    write(lake_of(settings), rows)
    verdict = judge_market_day(settings, DAY)
    update_incidents(settings, DAY, now=NOW)
    return verdict, choose_action(settings, DAY, now=NOW)


def note_importance(shop: Shop, number: int, importance: dict[str, Any]) -> None:
    """As the version's training does."""
    run = training_run(Registry(shop.settings.mlflow), versions.version(Registry(shop.settings.mlflow), number).run_id)
    run.put_json(NOTED, importance)


def put_live(settings: Settings, day: date, version: int | None) -> str:
    """The name of a batch that is published and live."""
    policy = "base" if version is None else f"version {version}"
    batch = Batch(f"{day:%Y%m%d}_{policy[-1]}", day, version, policy, NOW, facts={"notes": []})
    with connect(settings.mongo) as client:
        rankings.record_batch(client, batch)
        rankings.publish_batch(client, batch, NOW)
    return batch.name


def live(settings: Settings) -> str:
    """What buyers are shown."""
    with connect(settings.mongo) as client:
        shown = rankings.live_batch(client)
    return shown.batch if shown else ""


def test_a_lake_without_measures_is_judged_ok(shop: Shop) -> None:
    assert judge_market_day(shop.settings, DAY).state == "ok"


def test_what_the_champion_goes_by_decides_whether_it_is_trained_anew(shop: Shop) -> None:
    champion = shop.promoted()
    note_importance(shop, champion, IMPORTANCE)
    verdict, choice = done(shop.settings, drifted(champion))
    assert (verdict.state, verdict.version, choice) == ("retrain", champion, "retrain")
    assert retraining_request(shop.settings, DAY) == {
        "day": "2026-11-20",
        "reason": "drift on 2026-11-20: covariate shift: The inputs have moved (inputs)",
        "since": "2026-11-19",
    }
    # Cleared and judged again, though it was begun meanwhile: the same.
    assert (judge_market_day(shop.settings, DAY), choose_action(shop.settings, DAY, now=NOW)) == (verdict, "retrain")
    note_importance(shop, champion, IMPORTANCE | {"product_price": 0.01})
    assert judge_market_day(shop.settings, DAY).state == "ok"


def test_a_champion_promoted_since_is_judged_by_its_own_days(shop: Shop) -> None:
    former = shop.promoted()
    assert shop.promoted(former) != former
    assert done(shop.settings, drifted(former))[0].state == "ok"


def test_wrong_data_is_told_and_trains_nothing(shop: Shop) -> None:
    champion = shop.promoted()
    verdict, choice = done(shop.settings, [*drifted(champion), *wrong_unit(DAY)])
    assert (verdict.state, choice) == ("alert", "nothing")
    assert shop.alerts["drift:data bug: products"] == "open"


def test_rankings_that_are_worse_than_none_are_taken_off_until_they_are_released(shop: Shop) -> None:
    settings, champion = shop.settings, shop.promoted()
    base = put_live(settings, before(1), None)
    ours = put_live(settings, DAY, champion)
    worse = of(champion, [against(before(1), -0.03, -0.01), against(before(2), -0.03, -0.01)])
    assert done(settings, worse)[1] == "fall back"
    assert live(settings) == ours
    assert (apply_fallback(settings, DAY, now=NOW), live(settings)) == (base, base)
    with open_context(settings) as context:
        assert choose_ranker(context.state, context.registry).version is None
    assert shop.aliases["champion"] == champion
    assert shop.alerts[f"held_back:version {champion}"] == "open"
    # One of its batches that was under way meanwhile is not shown.
    with connect(settings.mongo) as client:
        rankings.add_batch_facts(client, ours, checked={})
    with open_context(settings) as context:
        outcome = publish_if_current(context.state, context.registry, ours, NOW)
    assert outcome.startswith(f"not made live: version {champion} is held back: {DAY}: ")
    # Cleared after another batch went live, it leaves that.
    newer = put_live(settings, DAY, None)
    assert (apply_fallback(settings, DAY, now=NOW), live(settings)) == (newer, newer)
    with connect(settings.mongo) as client:
        assert actions.release_version(client, champion)
        assert actions.held_versions(client) == {}
    with open_context(settings) as context:
        notes = choose_ranker(context.state, context.registry).notes
    assert not any("held back" in note for note in notes)
