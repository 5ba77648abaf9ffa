"""What stops a day, what it says, and how it is accepted."""

from datetime import timedelta
from pathlib import Path

import pytest
from bson import Int64

from rankloop.contracts.lake import REACTIONS
from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS
from rankloop.events.checks import DayRejectedError
from rankloop.events.late_events import count_late_events
from tests.building import aggregate_day, build_features, window_is_complete
from tests.events.shop import DAY, NEXT_DAY, NIGHT, Shop, a_list, a_reaction, arriving, at
from tests.features.market import rows, settings_for

pytestmark = pytest.mark.stack
WEEK = timedelta(weeks=1)


def test_a_day_with_too_many_bad_rows_stops_with_its_quarantine_to_look_at(shop: Shop) -> None:
    shop.with_rules(bad_share=0.02)
    former = shop.clean()
    shop.add(INTERACTIONS, a_reaction("x", at(12), price=Int64(0)), a_reaction("i1", at(12)))
    with pytest.raises(DayRejectedError) as stopped:
        shop.clean()
    assert str(stopped.value) == (
        "interactions 2026-11-03: 2 of 4 rows are bad (limit 2.0%, RANKLOOP_CLEANING__BAD_SHARE): 1 bad_price, "
        '1 duplicate. They are in rankloop.quarantine under {day: "2026-11-03", collection: "interactions"}, each with '
        "its field and value. Once they are repaired in the shop, clear the extraction of this day. To accept the day "
        "as it is, trigger daily_features with the partition key 2026-11-03 and the parameter accept = "
        '["bad_rows"]; see docs/runbook.md#accept.'
    )
    assert len(shop.rejected()) == 2
    assert shop.ingestion.lake.digest(REACTIONS, DAY) == former.sources[INTERACTIONS].digest


def test_a_day_is_let_through_on_purpose_and_that_is_recorded(shop: Shop) -> None:
    shop.with_rules(bad_share=0)
    shop.add(INTERACTIONS, a_reaction("i1", at(12)))
    assert shop.clean(accept=("bad_rows",)).accepted == ["bad_rows"]
    shop.with_rules(accept={DAY: frozenset({"bad_rows"})})
    assert shop.clean().accepted == ["bad_rows"]
    assert shop.with_rules(bad_share=1).clean(accept=("bad_rows",)).accepted == []


def test_an_empty_day_stops(shop: Shop) -> None:
    with pytest.raises(DayRejectedError, match="impressions and interactions 2026-11-04: not one document") as stopped:
        shop.clean(NEXT_DAY, NIGHT + timedelta(days=1))
    assert stopped.value.check == "empty_day"
    facts = shop.clean(NEXT_DAY, NIGHT + timedelta(days=1), accept=("empty_day",))
    assert (facts.sources[IMPRESSIONS].rows, facts.accepted) == (0, ["empty_day"])


def test_an_empty_day_that_was_accepted_has_features_and_so_has_the_day_after_it(shop: Shop, tmp_path: Path) -> None:
    settings, third_day = settings_for(tmp_path), NEXT_DAY + timedelta(days=1)
    shop.add(IMPRESSIONS, a_list("q3", at(9, third_day)))
    shop.add(INTERACTIONS, a_reaction("i3", at(10, third_day)))
    for number, day in enumerate((DAY, NEXT_DAY, third_day)):
        shop.clean(day, NIGHT + timedelta(days=number), accept=("empty_day",))
        aggregate_day(settings, day)
        assert window_is_complete(settings, day, begun=DAY)
        build_features(settings, day)
    shown = [
        {row["product_id"]: row["product_shown_28d"] for row in rows(settings, "features/product", day)}
        for day in (DAY, NEXT_DAY, third_day)
    ]
    assert shown == [dict.fromkeys((1, 2, 3), 2), dict.fromkeys((1, 2, 3), 2), dict.fromkeys((1, 2, 3), 3)]


def test_a_day_far_smaller_than_its_weekday_stops(shop: Shop) -> None:
    for week in (1, 2, 3):
        past = DAY - week * WEEK
        shop.add(IMPRESSIONS, *(a_list(f"q{week}-{i}", at(9, past), account_id=12) for i in range(10)))
        shop.add(INTERACTIONS, *(a_reaction(f"i{week}-{i}", at(9, past)) for i in range(3)))
        # The catalogue is of now, so of those days it has nothing yet.
        shop.clean(past, at(25, past), accept=("small_day",))
    with pytest.raises(DayRejectedError, match="impressions 2026-11-03: 2 documents, where the same weekday of the 3 "):
        shop.clean()
    assert shop.clean(accept=("small_day",)).accepted == ["small_day"]


def test_a_first_day_has_no_usual_to_be_smaller_than(shop: Shop) -> None:
    assert shop.clean().accepted == []


def test_late_events_are_counted_and_the_day_to_clear_is_named(shop: Shop) -> None:
    shop.add(INTERACTIONS, *(a_reaction(f"n{i}", at(12)) for i in range(6)))
    shop.clean()
    assert (count_late_events(shop.ingestion, DAY).events, count_late_events(shop.ingestion, DAY).advice) == (
        {IMPRESSIONS: 0, INTERACTIONS: 0}, "",
    )  # fmt: skip
    late = NIGHT + timedelta(hours=2)
    shop.add(INTERACTIONS, *(a_reaction(f"late{i}", at(23), _id=arriving(late)) for i in range(2)))
    shop.add(INTERACTIONS, a_reaction("other-day", at(1, NEXT_DAY), _id=arriving(late)))
    found = count_late_events(shop.ingestion, DAY)
    assert (found.events, found.share) == ({IMPRESSIONS: 0, INTERACTIONS: 2}, 0.2)
    assert "Clear the extraction of partition 2026-11-03" in found.advice
    assert "for the days after it, up to 2026-11-30" in found.advice
    shop.clean(now=late + timedelta(hours=1))
    assert count_late_events(shop.ingestion, DAY).share == 0


def test_an_event_that_came_while_the_day_was_read_is_late_if_the_day_lacks_it(shop: Shop) -> None:
    just_before = NIGHT - timedelta(seconds=1)
    shop.add(INTERACTIONS, a_reaction("seen", at(23), _id=arriving(just_before)))
    shop.clean()
    shop.add(INTERACTIONS, a_reaction("missed", at(23), _id=arriving(just_before)))
    assert count_late_events(shop.ingestion, DAY).events[INTERACTIONS] == 1
