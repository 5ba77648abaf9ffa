"""A feature family of somebody's own, in a shop that has run for a while: nothing that is there breaks by it."""

import logging
import re
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.building import aggregate_day, build_features, lake_of, prepare_day
from tests.features.market import FIRST_DAY, account, day_of, product, put, reaction, settings_for, shown_list

from rankloop.features.catalogue import BUILT_IN, FamilyError, feature_meaning, feature_named, load_catalogue
from rankloop.features.partitions import find_stale_partitions
from rankloop.ranking.lists import LISTS
from rankloop.settings import Settings
from rankloop.settings.features import FeatureSettings
from rankloop.settings.training import TrainingSettings

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "extend.md"
BEFORE, AFTER = [FIRST_DAY + timedelta(days=number) for number in (0, 1)], FIRST_DAY + timedelta(days=2)
EVERY_LIST = TrainingSettings.model_validate({"idle_share": 1.0})
NAMES = ["loyalty_units_28d", "loyalty_days_since"]


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The path of a family that the guide shows, in a package with the other one."""
    section = GUIDE.read_text().partition("## A feature family")[2].partition("\n## ")[0]
    (tmp_path / "my_shop").mkdir()
    for name, code in zip(("bargain", "loyalty"), re.findall(r"```python\n(.*?)```", section, re.DOTALL), strict=True):
        (tmp_path / "my_shop" / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_shop.loyalty.FAMILY"
    for name in [name for name in sys.modules if name.startswith("my_shop")]:
        del sys.modules[name]


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    """A shop that has built some days without the family."""
    settings = settings_for(tmp_path / "home")
    for day in BEFORE:
        live(settings, day)
    return settings


def live(settings: Settings, day: date) -> None:
    """Build a day on which one buyer orders a product, and another looks at it."""
    shown = shown_list(day, f"q{day}", 1, [1, 2]) + shown_list(day, f"r{day}", 2, [2, 1])
    reactions = [
        reaction(day, "click", 1, 1, request_id=f"q{day}"),
        reaction(day, "order", 1, 1, request_id=f"q{day}", quantity=3, price=100_000),
        reaction(day, "click", 2, 2, request_id=f"r{day}"),
    ]
    buyers, goods = [account(1), account(2)], [product(1), product(2)]
    put(settings, day, day_of(day, shown=shown, reactions=reactions, products=goods, buyers=buyers))
    aggregate_day(settings, day)
    build_features(settings, day)


def with_family(settings: Settings, path: str) -> Settings:
    """The same shop once the settings name the family."""
    return settings.model_copy(update={"features": FeatureSettings(families=(path,)), "training": EVERY_LIST})


def test_its_features_are_declared_and_looked_up_by_name(family: str) -> None:
    catalogue = load_catalogue(FeatureSettings(families=(family,)))
    assert catalogue.feature_names == (*BUILT_IN.feature_names, *NAMES)
    assert feature_named(NAMES[0]) == catalogue.feature_named(NAMES[0])
    assert feature_meaning(NAMES[0]) == "the buyer: pieces ordered in 28 days"


def test_a_family_without_tables_is_joined_at_once(shop: Settings, family: str) -> None:
    assert family
    settings = with_family(shop, "my_shop.bargain.FAMILY")
    live(settings, AFTER)
    prepare_day(settings, BEFORE[1])
    rows = lake_of(settings).read(LISTS, BEFORE[1:], ["bargain_gap", "product_discount", "shop_discount"]).to_pylist()
    assert [row["bargain_gap"] for row in rows] == [row["product_discount"] - row["shop_discount"] for row in rows]


def test_its_tables_are_written_from_the_day_on_that_it_is_named(shop: Settings, family: str) -> None:
    settings = with_family(shop, family)
    live(settings, AFTER)
    rows = lake_of(settings).read("features/loyalty", [AFTER], ["account_id", *NAMES]).to_pylist()
    # The days before have no such aggregate, so only this day's pieces are known.
    assert rows == [{"account_id": 1, "loyalty_units_28d": 3, "loyalty_days_since": 0}]


def test_days_before_it_are_joined_as_unknown_and_keep_their_other_values(
    shop: Settings, family: str, caplog: pytest.LogCaptureFixture
) -> None:
    live(shop, AFTER)
    plain, settings = shop.model_copy(update={"training": EVERY_LIST}), with_family(shop, family)
    prepare_day(plain, BEFORE[1])
    former = lake_of(shop).read(LISTS, BEFORE[1:])
    with caplog.at_level(logging.WARNING):
        prepare_day(settings, BEFORE[1])
    rows = lake_of(shop).read(LISTS, BEFORE[1:])
    assert rows[NAMES[0]].to_pylist() == [0.0] * rows.num_rows
    assert rows[NAMES[1]].null_count == rows.num_rows
    assert rows.drop_columns(NAMES) == former
    assert "features/loyalty has no day 2026-10-01" in caplog.text


def test_a_day_after_it_is_joined_with_its_values(shop: Settings, family: str) -> None:
    settings = with_family(shop, family)
    for number in range(3):
        live(settings, AFTER + timedelta(days=number))
    prepare_day(settings, AFTER + timedelta(days=1))
    rows = lake_of(settings).read(LISTS, [AFTER + timedelta(days=1)], ["account_id", *NAMES]).to_pylist()
    assert {row["account_id"]: (row[NAMES[0]], row[NAMES[1]]) for row in rows} == {1: (3.0, 0.0), 2: (0.0, None)}


def test_older_code_goes_on_without_it(shop: Settings, family: str) -> None:
    live(with_family(shop, family), AFTER)
    later = AFTER + timedelta(days=1)
    live(shop, later)
    assert lake_of(shop).days("features/loyalty") == [AFTER]
    assert later in lake_of(shop).days("features/product")


def test_the_days_before_it_are_named_for_a_rebuild(shop: Settings, family: str) -> None:
    settings = with_family(shop, family)
    live(settings, AFTER)
    report = find_stale_partitions(lake_of(settings), settings.features, settings.zone)
    assert {part.table for part in report.stale} == {"daily/loyalty", "features/loyalty"}
    assert report.aggregates == report.features == BEFORE
    for day in (*BEFORE, AFTER):
        live(settings, day)
    assert not find_stale_partitions(lake_of(settings), settings.features, settings.zone).stale


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("my_shop.nothing.FAMILY", "names my_shop.nothing.FAMILY, but No module named 'my_shop.nothing'"),
        ("my_shop.loyalty.NOTHING", "the module my_shop.loyalty has no NOTHING"),
        ("my_shop.loyalty.NAMES", "the module my_shop.loyalty has no NAMES"),
        ("my_shop.loyalty.FEATURES", "which is a tuple. Name a rankloop.features.declarations.Family"),
        ("rankloop.features.families.shop.FAMILY", "declares the family shop, .* as another family does already"),
    ],
)
def test_a_path_that_names_no_new_family_is_refused_in_words(family: str, path: str, message: str) -> None:
    assert family
    with pytest.raises(FamilyError, match=message):
        load_catalogue(FeatureSettings(families=(path,)))
