"""The catalogue says everything, and the page made of it is current."""

from pathlib import Path

import pytest

from rankloop.contracts.tables import TableSpec
from rankloop.features.catalogue import AS_OF, DAILY, FAMILIES, FEATURES, render_feature_catalogue
from rankloop.features.declarations import Family
from tests.building import lake_of
from tests.features.market import FIRST_DAY, account, build, day_of, product, reaction, settings_for, shown_list

SHAPES = [builder.spec for builder in (*DAILY, *AS_OF)]


def test_there_are_at_least_sixty_features_and_no_two_share_a_name() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_feature_says_what_it_means_in_one_line(family: Family) -> None:
    for feature in family.features:
        assert 10 < len(feature.meaning) < 110, feature.name
        assert "\n" not in feature.meaning
        assert not feature.meaning.endswith(".")


def test_position_is_no_feature() -> None:
    assert not [feature.name for feature in FEATURES if "position" in feature.name]


def test_every_table_has_exactly_the_columns_it_declares(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    events = day_of(
        FIRST_DAY,
        shown=shown_list(FIRST_DAY, "q1", 1, [1]),
        reactions=[reaction(FIRST_DAY, "click", 1, 1, request_id="q1")],
        products=[product(1)],
        buyers=[account(1)],
    )
    build(settings, {FIRST_DAY: events})
    lake = lake_of(settings)
    found = {table: set(lake.read(table, [FIRST_DAY]).schema.names) for table in lake.tables()}
    assert {name: columns for name, columns in found.items() if not name.startswith(("events/", "facts/"))} == {
        shape.name: set(shape.schema.names) for shape in SHAPES
    }


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_no_table_declares_a_column_twice(shape: TableSpec) -> None:
    assert len(set(shape.schema.names)) == len(shape.schema.names)


def test_the_page_of_features_is_current() -> None:
    written = Path(__file__).parents[2] / "docs" / "features.md"
    assert written.read_text(encoding="utf-8") == render_feature_catalogue(), (
        "run: .venv/bin/rankloop features describe --markdown > docs/features.md"
    )
