"""Killed anywhere in a decision and done again, it comes to the one right end."""

from typing import Any

import pytest

from rankloop.settings import Settings
from tests.killing import Point, forks, mine
from tests.promotion.shop import Shop

pytestmark = pytest.mark.stack

INSERT = "pymongo.collection:Collection.insert_one"
ALIAS, UNALIAS = "mlflow:MlflowClient.set_registered_model_alias", "mlflow:MlflowClient.delete_registered_model_alias"
LIFE, MARK = "mlflow:MlflowClient.set_model_version_tag", "mlflow:MlflowClient.set_registered_model_tag"


def cuts(*functions: tuple[str, int]) -> list[Point]:
    """Before each of these calls, which follow each other, and after the last."""
    before = [Point(function, call) for function, call in functions]
    return [*before, Point(*functions[-1], after=True)]


PROMOTION = cuts((INSERT, 1), (ALIAS, 1), (ALIAS, 2), (UNALIAS, 1), (LIFE, 1), (LIFE, 2), (MARK, 1))
REJECTION = cuts((INSERT, 1), (UNALIAS, 1), (LIFE, 1))
ROLLBACK = cuts((INSERT, 1), (ALIAS, 1), (UNALIAS, 1), (LIFE, 1), (LIFE, 2), (MARK, 1))


def _decide_and_die(settings: Settings, number: int, answered: dict[str, str], point: Point) -> None:
    mine(point)
    Shop(settings).decide(number, **answered)


def _roll_back_and_die(settings: Settings, point: Point) -> None:
    mine(point)
    Shop(settings).roll_back()


def killed(victim: Any, *arguments: Any) -> None:  # noqa: ANN401  (a function and what it takes)
    process = forks.Process(target=victim, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -9


def name(point: Point) -> str:
    return f"{'after' if point.after else 'before'} {point.function.rpartition('.')[2]} {point.call}"


@pytest.mark.parametrize("point", PROMOTION, ids=name)
def test_a_promotion_that_is_killed_and_cleared_is_a_promotion(point: Point, shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    killed(_decide_and_die, shop.settings, second, {}, point)
    shop.decide(second)
    assert shop.aliases == {"champion": second, "previous": first}
    assert shop.lives == {first: "Archived", second: "Production"}
    assert [entry.decision for entry in shop.settled] == ["promoted"] * 2


@pytest.mark.parametrize("point", REJECTION, ids=name)
def test_a_rejection_that_is_killed_and_cleared_is_a_rejection(point: Point, shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    killed(_decide_and_die, shop.settings, second, {"choice": "Reject"}, point)
    shop.decide(second, choice="Reject")
    assert shop.aliases == {"champion": first}
    assert shop.lives == {first: "Production", second: "Archived"}
    assert [entry.decision for entry in shop.settled] == ["promoted", "rejected"]


@pytest.mark.parametrize("point", ROLLBACK, ids=name)
def test_a_rollback_that_is_killed_and_cleared_is_a_rollback(point: Point, shop: Shop) -> None:
    first = shop.promoted()
    second = shop.promoted(first)
    killed(_roll_back_and_die, shop.settings, point)
    shop.roll_back()
    assert shop.aliases == {"champion": first}
    assert shop.lives == {first: "Production", second: "Archived"}
    assert [entry.decision for entry in shop.settled] == ["promoted", "promoted", "rolled back"]


@pytest.mark.parametrize("point", PROMOTION[1:-1:2], ids=name)
def test_whoever_reads_the_champion_next_finishes_what_a_kill_left(point: Point, shop: Shop) -> None:
    first = shop.promoted()
    second = shop.register(first)
    killed(_decide_and_die, shop.settings, second, {}, point)
    assert [entry.decision for entry in shop.settled] == ["promoted", "promoted"]
    assert shop.aliases == {"champion": second, "previous": first}
    assert shop.lives == {first: "Archived", second: "Production"}
