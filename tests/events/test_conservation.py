"""Whatever arrives, every document of a day is kept or rejected, once, and never both."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from bson import Int64
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rankloop.contracts.lake import REACTIONS, SHOWN
from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS
from rankloop.contracts.sources import SOURCES
from tests.events.shop import Shop, a_list, a_reaction, at
from tests.sources.test_decoding import odd_values, present

pytestmark = pytest.mark.stack

some = st.integers(0, 30)


@st.composite
def events(draw: st.DrawFn, collection: str) -> list[dict[str, Any]]:
    """Documents of a day of which many share keys, and many have something odd in some field."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        moment, name = at(draw(st.floats(0, 23.9))), f"{draw(some)}"
        if collection == INTERACTIONS:
            document = a_reaction(name, moment, price=Int64(draw(some)), product_id=Int64(draw(st.integers(1, 4))))
            document |= draw(st.sampled_from([{}, {"request_id": name}, {"request_id": " q1"}]))
        else:
            document = a_list(name, moment, tuple(draw(st.lists(st.integers(1, 4), max_size=5))))
        if draw(st.booleans()):
            document[draw(st.sampled_from([field.name for field in SOURCES[collection].fields]))] = draw(odd_values)
        found.append(present(document))
    return found


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events(IMPRESSIONS), events(INTERACTIONS))
def test_every_document_is_kept_or_rejected_once(
    shop: Shop, lists: list[dict[str, Any]], reactions: list[dict[str, Any]]
) -> None:
    market = shop.client["marketplace"]
    for collection, documents in ((IMPRESSIONS, lists), (INTERACTIONS, reactions)):
        market[collection].delete_many({})
        if documents:
            market[collection].insert_many([dict(entry) for entry in documents])
    facts = shop.clean(accept=("empty_day", "small_day"))
    for source in facts.sources.values():
        assert source.rows_in == source.rows + source.quarantined + source.left_out
    rejected = Counter(
        entry["id"] for entry in shop.client["rankloop"]["quarantine"].find({"collection": INTERACTIONS})
    )
    assert set(rejected.values()) <= {1}
    in_day = facts.sources[INTERACTIONS].raw["rows"]
    assert in_day == len(shop.rows(REACTIONS)) + len(rejected)
    assert in_day + facts.sources[INTERACTIONS].raw["elsewhere"] >= len([*filter(of_the_day, reactions)])
    shown = [(row["request_id"], row["product_id"]) for row in shop.rows(SHOWN)]
    assert len(set(shown)) == len(shown)


def of_the_day(document: dict[str, Any]) -> bool:
    """Whether a document's time is of the day, or none at all, so that it counts where it arrived."""
    moment = document.get("ts")
    if isinstance(moment, DatetimeMS):  # a date that Python's own cannot hold is of some other day
        return False
    return not isinstance(moment, datetime) or at(0) <= moment < at(24)
