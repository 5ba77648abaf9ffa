"""Who is champion: what was decided, and what is noticed when somebody moves an alias in MLflow."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from rankloop.champions.history import all_champions, champion_history, champion_number, previous_champion
from rankloop.registry import aliases
from rankloop.registry.connection import Registry
from rankloop.registry.versions import MODEL
from rankloop.state.ledger import Decision, LedgerEntry
from tests.promotion.shop import Shop
from tests.running import champion_now


def lived(*changes: tuple[Decision, int | None]) -> list[LedgerEntry]:
    return [LedgerEntry(decision, str(n), after, None, after, "", "") for n, (decision, after) in enumerate(changes)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ()),
        ([("promoted", 1), ("promoted", 3)], (1, 3)),
        ([("promoted", 1), ("promoted", 3), ("rolled back", 1)], (1,)),
        ([("promoted", 1), ("promoted", 2), ("promoted", 3), ("rolled back", 2), ("rolled back", 1)], (1,)),
        ([("promoted", 1), ("promoted", 2), ("rolled back", 1), ("rolled back", 2)], (1, 2)),
        ([("promoted", 1), ("moved", 2), ("moved", None)], (1, 2, None)),
    ],
)
def test_the_line_of_champions(changes: list[tuple[Decision, int | None]], expected: tuple[int | None, ...]) -> None:
    assert champion_history(lived(*changes)) == expected


def test_what_changes_no_champion_is_not_in_the_line() -> None:
    entries = [
        *lived(("promoted", 1)),
        *(LedgerEntry(d, d, 2, 1, 1, "", "") for d in ("rejected", "refused", "timed out")),
    ]  # type: ignore[arg-type]
    assert (champion_number(entries), previous_champion(entries), all_champions(entries)) == (1, None, {1})


def test_a_time_without_champion_is_passed_over_on_the_way_back() -> None:
    assert previous_champion(lived(("promoted", 1), ("moved", None), ("promoted", 3))) == 1


@pytest.mark.stack
def test_before_the_first_there_is_no_champion(shop: Shop) -> None:
    assert champion_now(shop.settings) is None
    shop.register()
    assert champion_now(shop.settings) is None
    assert shop.entries == []


@pytest.mark.stack
def test_an_alias_moved_in_mlflow_is_recorded_reported_and_followed(shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    shop.mlflow.set_registered_model_alias(MODEL, "champion", str(second))
    found = champion_now(shop.settings)
    assert found
    assert found.number == second
    moved = shop.entries[-1]
    assert (moved.decision, moved.before, moved.after) == ("moved", first, second)
    assert shop.alerts == {f"champion_moved:version {second}": "open"}
    assert shop.aliases == {"champion": second, "previous": first}
    assert shop.lives == {first: "Archived", second: "Production"}
    assert shop.settled == shop.entries  # noted once


@pytest.mark.stack
def test_a_champion_taken_away_in_mlflow_is_recorded(shop: Shop) -> None:
    first = shop.promoted()
    shop.mlflow.delete_registered_model_alias(MODEL, "champion")
    assert champion_now(shop.settings) is None
    assert (shop.entries[-1].decision, shop.entries[-1].before, shop.entries[-1].after) == ("moved", first, None)
    assert shop.aliases == {"previous": first}


@pytest.mark.stack
def test_any_number_may_have_the_aliases_follow_at_once(shop: Shop) -> None:
    version, many = shop.register(), 8
    together = Barrier(many)

    def follow() -> None:
        together.wait()
        aliases.follow(Registry(shop.settings.mlflow), version, version, "a mark")

    with ThreadPoolExecutor(many) as readers:
        for _ in range(5):
            for following in [readers.submit(follow) for _ in range(many)]:
                following.result()
            assert shop.aliases == {"champion": version, "previous": version}
            for alias in shop.aliases:
                shop.mlflow.delete_registered_model_alias(MODEL, alias)
            shop.mlflow.delete_registered_model_tag(MODEL, aliases.MARK)
