"""The digest of how a column is computed: what changes it, and what does not."""

import subprocess
import sys
from dataclasses import replace
from unittest.mock import patch
from zoneinfo import ZoneInfo

import ibis.expr.types as ir
import pytest

from rankloop.contracts.tables import INT, Column
from rankloop.features import definitions
from rankloop.features.catalogue import BUILT_IN, Catalogue
from rankloop.features.declarations import TableBuilder
from rankloop.features.definitions import feature_definitions, table_definitions
from rankloop.features.families import buyer, buyer_shop, product
from rankloop.features.history import FeatureHistory
from rankloop.lake.commits import Definitions
from rankloop.settings.features import FeatureSettings
from tests.features.market import ZONE

IN_HANOI = ZoneInfo(ZONE)


def changed(**settings: object) -> set[str]:
    """Return the columns whose digest differs from that of the default settings."""
    before, after = (table_definitions(FeatureSettings(**chosen), IN_HANOI) for chosen in ({}, settings))
    return {
        f"{table}.{name}" for table in before for name in before[table] if before[table][name] != after[table][name]
    }


def test_every_column_of_every_table_has_a_digest_and_no_two_columns_of_a_table_share_one() -> None:
    found = table_definitions(FeatureSettings(), IN_HANOI)
    for builder in (*BUILT_IN.daily, *BUILT_IN.as_of):
        names = [column.name for column in builder.spec.columns]
        assert {*names} <= {*found[builder.spec.name]}
        assert len({found[builder.spec.name][name] for name in names}) == len(names), builder.spec.name


def test_digests_are_the_same_in_another_process() -> None:
    program = (
        "from zoneinfo import ZoneInfo; from rankloop.features.definitions import table_definitions; "
        "from rankloop.settings.features import FeatureSettings; "
        f"print(table_definitions(FeatureSettings(), ZoneInfo('{ZONE}')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(table_definitions(FeatureSettings(), IN_HANOI))


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({"prior_clicks": 21}, {"product.product_conversion", "product.product_cart_rate", "shop.shop_conversion"}),
        ({"city_tiers": (1, 2)}, {"buyer.buyer_city_tier"}),
        ({"product_half_life": 4}, {"buyer_product.pair_weight"}),
    ],
    ids=["prior", "tiers", "half-life"],
)
def test_a_setting_changes_the_features_that_it_shapes(settings: dict[str, object], columns: set[str]) -> None:
    found = changed(**settings)
    assert {f"features/{name}" for name in columns} <= found
    assert not {name for name in found if name.startswith("daily/")}
    assert len(found) <= len(columns) + 1


def test_a_change_of_an_aggregate_is_one_of_the_features_made_from_it() -> None:
    assert changed(fresh_days=21) == {"daily/buyer.fresh", "features/buyer.buyer_fresh_share"}


def test_the_length_of_the_window_changes_features_and_no_aggregate() -> None:
    found = changed(window_days=14)
    assert "features/product.product_ctr" in found
    assert not {name for name in found if name.startswith("daily/")}


@pytest.mark.parametrize("settings", [{"engine": "spark"}, {"threads": 1, "memory": "1GB"}, {"seen_days": 3}])
def test_a_setting_that_shapes_no_partition_changes_none(settings: dict[str, object]) -> None:
    assert changed(**settings) == set()


def of_families(**families: TableBuilder) -> dict[str, Definitions]:
    """Return the digests where the tables of these families are computed otherwise."""
    changed = tuple(
        replace(family, as_of=families[family.name]) if family.name in families else family
        for family in BUILT_IN.families
    )
    with patch.object(definitions, "load_catalogue", lambda _: Catalogue(changed)):
        return dict(definitions.compute_definitions(FeatureSettings(), IN_HANOI))


def test_a_feature_added_beside_others_changes_none_of_them() -> None:
    def roll_up(history: FeatureHistory) -> ir.Table:
        days = history.daily(buyer.DAILY.name)
        units = days.group_by("account_id").agg(buyer_units_28d=days["units"].sum())
        return buyer.buyer_features(history).left_join(units, "account_id").drop("account_id_right")

    spec = replace(buyer.TABLE, columns=(*buyer.TABLE.columns, Column("buyer_units_28d", INT, "pieces ordered")))
    found, before = of_families(buyer=TableBuilder(spec, roll_up)), table_definitions(FeatureSettings(), IN_HANOI)
    assert "buyer_units_28d" in found[spec.name]
    assert {name: found[spec.name][name] for name in before[spec.name]} == before[spec.name]


def test_another_filter_or_another_formula_changes_the_digest() -> None:
    def fewer(history: FeatureHistory) -> ir.Table:
        return product.product_features(history).filter(lambda t: t["product_price"] > 0)

    def other(history: FeatureHistory) -> ir.Table:
        return product.product_features(history).mutate(product_ctr=lambda t: t["product_ctr"] * 2)

    before = table_definitions(FeatureSettings(), IN_HANOI)[product.TABLE.name]
    filtered = of_families(product=TableBuilder(product.TABLE, fewer))[product.TABLE.name]
    assert not {name for name in before if filtered[name] == before[name]}
    doubled = of_families(product=TableBuilder(product.TABLE, other))[product.TABLE.name]
    assert {name for name in before if doubled[name] != before[name]} == {"product_ctr"}


def test_every_feature_has_a_definition_where_its_tables_say_theirs() -> None:
    found = feature_definitions(FeatureSettings(), IN_HANOI, table_definitions(FeatureSettings(), IN_HANOI))
    assert {*found} == {*BUILT_IN.feature_names}


def test_a_feature_follows_the_columns_that_it_is_joined_from_and_no_others() -> None:
    tables = {name: dict(columns) for name, columns in table_definitions(FeatureSettings(), IN_HANOI).items()}
    before = feature_definitions(FeatureSettings(), IN_HANOI, tables)
    tables["features/buyer"]["buyer_price_rank"] = "another"
    tables["features/buyer_category"]["share"] = "another"
    after = feature_definitions(FeatureSettings(), IN_HANOI, tables)
    assert {name for name in before if before[name] != after[name]} == {
        *("buyer_price_rank", "price_buyer_gap"),
        *(f"category{depth}_share" for depth in (2, 3, 4)),
    }


def test_a_feature_of_columns_that_say_nothing_is_of_an_unknown_definition() -> None:
    tables = {name: dict(columns) for name, columns in table_definitions(FeatureSettings(), IN_HANOI).items()}
    del tables["features/buyer"]["buyer_price_rank"]
    del tables["features/buyer_shop"]
    found = feature_definitions(FeatureSettings(), IN_HANOI, tables)
    unknown = {feature.name for feature in buyer_shop.FEATURES} | {"buyer_price_rank", "price_buyer_gap"}
    assert {*BUILT_IN.feature_names} - {*found} == unknown
