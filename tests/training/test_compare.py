"""Any two versions, held against each other on the same lists."""

import pytest
from rich.console import Console

from rankloop.context import open_context
from rankloop.desk.promotion import print_version_pair
from rankloop.promotion.version_comparison import NothingToCompareError, compare_versions
from rankloop.settings import Settings
from tests.training.steps import SMALL, Told, carried_out

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def smaller(shop: Settings, clean: Told) -> Told:
    """A second training of the same days, of fewer trees."""
    assert clean.versions
    few = SMALL.xgboost.model_copy(update={"fit_params": {"num_boost_round": 2, "early_stopping_rounds": 1}})
    return carried_out(shop.model_copy(update={"training": SMALL.model_copy(update={"xgboost": few})}), "smaller")


def test_the_newer_is_held_against_the_older_whatever_the_order(shop: Settings, clean: Told, smaller: Told) -> None:
    [older], [newer] = clean.versions, smaller.versions
    with open_context(shop) as context:
        pair, reverse = compare_versions(context, older, newer), compare_versions(context, newer, older)
    assert (pair.older.number, pair.newer.number) == (older, newer)
    assert pair.comparison.to_json() == reverse.comparison.to_json()  # in which what is not known is null
    # What the older was measured to be on these lists, it is here.
    assert pair.comparison.of("ndcg@10").champion == pytest.approx(measured(clean))
    console = Console(record=True, width=120)
    print_version_pair(console, pair)
    text = console.export_text()
    assert f"version {newer} against version {older}, on the" in text
    assert "NDCG@10" in text


def test_a_version_is_not_held_against_itself(shop: Settings) -> None:
    with open_context(shop) as context, pytest.raises(NothingToCompareError, match="was given twice"):
        compare_versions(context, 1, 1)


def measured(told: Told) -> float:
    """The NDCG@10 that its own comparison came to."""
    rows = told.left["comparison.json"]["deltas"]
    return float(next(row["challenger"] for row in rows if (row["segment"], row["metric"]) == ("all", "ndcg@10")))
