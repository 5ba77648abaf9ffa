"""Every buyer's ranking: whole, by the champion, of what is on sale, and the same however often it is made."""

from datetime import timedelta

import pyarrow.compute as pc
import pytest

from rankloop.candidates.generation import SOURCES
from rankloop.context import open_context
from rankloop.contracts.lake import PRODUCTS, SCORES
from rankloop.mongo import connect
from rankloop.scoring.batch import BatchError, rank_shards
from rankloop.state import rankings
from rankloop.state.rankings import DEFAULT_BUYER
from tests.building import lake_of
from tests.features.conftest import DAYS
from tests.openings import count_openings
from tests.promotion.shop import Shop
from tests.scoring.batches import (
    NOW,
    archive,
    check,
    content,
    live,
    made,
    plan,
    publish,
    rank,
    recorded,
    remove_old,
    republish,
    shown,
    why_superseded,
)
from tests.scoring.conftest import DAY

pytestmark = pytest.mark.stack


def test_every_buyer_has_a_ranking_by_the_champion_of_what_is_on_sale(market: Shop) -> None:
    champion = market.promoted()
    found = content(market.settings, shown(market.settings, DAY))
    lake = lake_of(market.settings)
    buyers = lake.read("features/buyer", [DAY], ["account_id"])["account_id"].to_pylist()
    listed = lake.read(PRODUCTS, [DAY], ["product_id", "status"])
    on_sale = set(listed.filter(pc.equal(listed["status"], "active"))["product_id"].to_pylist())
    assert sorted(found) == sorted([*buyers, DEFAULT_BUYER])
    for account, ranking in found.items():
        policy = "base" if account == DEFAULT_BUYER else f"version {champion}"
        assert (ranking["policy"], len(ranking["products"])) == (policy, 20)
        assert len(set(ranking["products"])) == 20
        assert set(ranking["products"]) <= on_sale
        assert ranking["scores"] == sorted(ranking["scores"], reverse=True)
        assert all(ranking["sources"])
    pointer = live(market.settings)
    assert pointer
    assert (pointer.day, pointer.version) == (DAY, champion)


def test_what_is_shown_is_in_the_lake_with_who_ranked_it(market: Shop) -> None:
    champion = market.promoted()
    name = shown(market.settings, DAY)
    rows = lake_of(market.settings).read(SCORES, [DAY]).to_pylist()
    published = content(market.settings, name)
    assert {(row["version"], row["batch"]) for row in rows} == {(champion, name)}
    for account, ranking in published.items():
        mine = sorted((row for row in rows if row["account_id"] == account), key=lambda row: row["rank"])
        assert [row["product_id"] for row in mine] == ranking["products"]
        assert [row["score"] for row in mine] == ranking["scores"]
        assert [row["sources"] for row in mine] == ranking["sources"]


def test_ranked_again_it_is_the_same_batch_with_the_same_content(market: Shop) -> None:
    market.promoted()
    name = shown(market.settings, DAY)
    first = content(market.settings, name)
    digest = lake_of(market.settings).digest(SCORES, DAY)
    assert shown(market.settings, DAY) == name
    assert content(market.settings, name) == first
    assert lake_of(market.settings).digest(SCORES, DAY) == digest


def test_a_group_alone_mends_what_it_finds_and_leaves_the_others_be(market: Shop) -> None:
    name = made(market.settings, DAY)
    before = content(market.settings, name)
    mine = [account for account in before if account % 10 == 3]
    with connect(market.settings.mongo) as client:
        collection = client["rankloop"][rankings.COLLECTION_PREFIX + name]
        collection.delete_one({"_id": mine[0]})
        collection.update_one({"_id": mine[1]}, {"$set": {"products": [1, 2]}})
        collection.insert_one({**before[mine[0]], "_id": 77})
    rank(market.settings, name, 3)
    assert content(market.settings, name) == {**before}


def test_a_task_ranks_all_its_shards_with_connections_opened_once(
    market: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.promoted()
    name = plan(market.settings, DAY)
    opened = count_openings(monkeypatch)
    with open_context(market.settings) as context:
        counts = rank_shards(context, name, [0, 3])
    assert [count["shard"] for count in counts if count["buyers"]] == [0, 3]
    assert opened == {"lake": 1, "client": 1, "engine": 1, "registry": 1}


def test_without_a_champion_the_shops_own_ranking_stands_in_and_says_so(market: Shop) -> None:
    name = shown(market.settings, DAY)
    assert {ranking["policy"] for ranking in content(market.settings, name).values()} == {"base"}
    with connect(market.settings.mongo) as client:
        notes = rankings.batch_by_name(client, name).facts["notes"]
    assert notes == ["there is no champion", "there is no previous champion", "the shop's own ranking stands in"]


def test_a_champion_that_cannot_be_loaded_is_passed_over_for_the_one_before_it(market: Shop) -> None:
    first = market.promoted()
    second = market.promoted(first)
    market.mlflow.set_model_version_tag("rankloop-ranker", str(second), "digest", "another")
    name = shown(market.settings, DAY)
    with connect(market.settings.mongo) as client:
        batch = rankings.batch_by_name(client, name)
    assert batch.version == first
    assert batch.facts["notes"][0].startswith(f"the champion, version {second}, cannot be loaded: ")
    assert live(market.settings)


def test_features_built_anew_since_the_plan_are_refused(market: Shop) -> None:
    name = plan(market.settings, DAY)
    scoring = market.settings.scoring.model_copy(update={"explore": 4})
    with pytest.raises(BatchError, match="have changed since it was planned"):
        rank(market.settings.model_copy(update={"scoring": scoring}), name, 0)


def test_a_checked_batch_tells_the_share_of_each_source_and_how_many_buyers_have_no_history(market: Shop) -> None:
    scoring = market.settings.scoring.model_copy(update={"top_n": 40})  # all candidates, so those by chance too
    name = made(market.settings.model_copy(update={"scoring": scoring}), DAY)
    with connect(market.settings.mongo) as client:
        facts = rankings.batch_by_name(client, name).facts["checked"]
    found = [ranking for account, ranking in content(market.settings, name).items() if account != DEFAULT_BUYER]
    sources = [names.split("+") for ranking in found for names in ranking["sources"]]
    assert set(facts["sources"]) == {source.name for source in SOURCES}
    for source, share in facts["sources"].items():
        assert share == round(sum(source in names for names in sources) / len(sources), 4)
    assert scoring.explore / scoring.top_n <= facts["sources"]["explore"] < 1
    lists = lake_of(market.settings).read("features/buyer", [DAY], ["buyer_active_days_28d"])
    assert facts["without_history"] == lists["buyer_active_days_28d"].to_pylist().count(0)
    assert 0 < facts["without_history"] < facts["buyers"]


def test_a_batch_with_faults_is_refused_with_all_of_them(market: Shop) -> None:
    name = made(market.settings, DAY)
    lost, empty, twice, gone, *_ = sorted(content(market.settings, name))
    with connect(market.settings.mongo) as client:
        collection = client["rankloop"][rankings.COLLECTION_PREFIX + name]
        collection.delete_one({"_id": lost})
        for account, products in ((empty, []), (twice, [content(market.settings, name)[twice]["products"][0]] * 2)):
            collection.update_one({"_id": account}, {"$set": {"products": products, "scores": [0.5] * len(products)}})
        collection.update_one({"_id": gone}, {"$set": {"products": [404], "scores": [0.5]}})
    with pytest.raises(BatchError) as refused:
        check(market.settings, name)
    told = str(refused.value)
    assert f"1 buyers have no ranking, such as buyer {lost}" in told
    assert "1 rankings are empty" in told
    assert "1 rankings hold a product twice" in told
    assert "1 products in rankings are not on sale" in told


def test_scores_that_rank_nothing_are_refused(market: Shop) -> None:
    name = made(market.settings, DAY)
    with connect(market.settings.mongo) as client:
        client["rankloop"][rankings.COLLECTION_PREFIX + name].update_many({}, {"$set": {"scores": [0.5] * 20}})
    with pytest.raises(BatchError, match=r"all scores are 0\.5, so they rank nothing"):
        check(market.settings, name)


def test_what_was_not_checked_is_not_shown(market: Shop) -> None:
    name = plan(market.settings, DAY)
    with pytest.raises(BatchError, match="was not checked"):
        publish(market.settings, name)
    assert live(market.settings) is None


def test_an_earlier_day_ranked_late_does_not_take_the_place_of_a_later_one(market: Shop) -> None:
    later = shown(market.settings, DAY)
    earlier = made(market.settings, DAYS[1])
    assert publish(market.settings, earlier).startswith("not made live: the live batch is of a later day")
    pointer = live(market.settings)
    assert pointer
    assert pointer.batch == later
    assert archive(market.settings, earlier) is None
    assert "nobody will see rankings" in why_superseded(market.settings, DAYS[1])
    assert not why_superseded(market.settings, DAY)


def test_a_batch_of_one_who_is_champion_no_more_is_not_shown(market: Shop) -> None:
    first = market.promoted()
    name = made(market.settings, DAY)
    market.promoted(first)
    assert f"version {first} ranked it, and is not the champion any more" in publish(market.settings, name)
    assert live(market.settings) is None


def test_after_a_rollback_the_former_champions_last_rankings_are_shown_at_once(market: Shop) -> None:
    first = market.promoted()
    old = shown(market.settings, DAYS[1])
    market.promoted(first)
    shown(market.settings, DAY)
    market.roll_back()
    assert republish(market.settings, NOW + timedelta(hours=1)) == old
    pointer = live(market.settings)
    assert pointer
    assert (pointer.batch, pointer.version, pointer.day) == (old, first, DAYS[1])
    again = shown(market.settings, DAY)
    assert live(market.settings).batch == again  # type: ignore[union-attr]


def test_after_a_rollback_to_one_without_rankings_nothing_is_shown_again(market: Shop) -> None:
    first = market.promoted()
    market.promoted(first)
    newer = shown(market.settings, DAY)
    market.roll_back()
    assert republish(market.settings) == ""
    assert live(market.settings).batch == newer  # type: ignore[union-attr]


def test_old_batches_go_and_what_is_gone_back_to_stays(market: Shop) -> None:
    first = market.promoted()
    kept = shown(market.settings, DAYS[1])
    market.promoted(first)
    few = market.settings.scoring.model_copy(update={"keep_batches": 2})
    names = []
    for explore in (1, 2, 3):
        scoring = few.model_copy(update={"explore": explore})
        settings = market.settings.model_copy(update={"scoring": scoring})
        name = plan(settings, DAY, NOW + timedelta(hours=explore))
        for group in range(10):
            rank(settings, name, group)
        check(settings, name)
        publish(settings, name, NOW + timedelta(hours=explore))
        names.append(name)
    assert remove_old(market.settings.model_copy(update={"scoring": few})) == [names[0]]
    assert sorted(recorded(market.settings)) == sorted([kept, *names[1:]])
