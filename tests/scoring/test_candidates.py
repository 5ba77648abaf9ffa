"""Where candidates come from: a market made by hand, in which each source has something to say."""

from datetime import timedelta
from pathlib import Path

import pytest

from rankloop.candidates.generation import SOURCE_NAMES, SOURCES, candidates
from rankloop.candidates.pool import open_candidate_pool
from rankloop.engine.opening import open_engine
from rankloop.features.joining.protocol import JoinError
from rankloop.lake.tables import Lake
from rankloop.settings import Settings
from rankloop.settings.scoring import ScoringSettings
from tests.features.market import FIRST_DAY, account, build, day_of, product, reaction, shown_list

BEFORE, DAY = FIRST_DAY, FIRST_DAY + timedelta(days=1)
BUYER, OTHER, ELSEWHERE = 13, 23, 14
LIKED, SAME_CATEGORY, SAME_SHOP, SAME_WORD, RISING, GONE = 1, 2, 3, 4, 5, 6
OF_ITS_OWN = {"category_path": "1/9/9/9", "shop_id": 99}
GOODS = [
    product(LIKED, name="máy_may juki"),
    product(SAME_CATEGORY, name="chỉ", shop_id=8),
    product(SAME_SHOP, name="kéo", category_path="1/3/3/3"),
    product(SAME_WORD, name="kim juki", **OF_ITS_OWN),
    product(RISING, name="nồi", **OF_ITS_OWN),
    product(GONE, name="máy_may juki", status="inactive"),
    *(product(number, name="tôm", **OF_ITS_OWN) for number in range(100, 160)),
]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A buyer who looked at one product and one that is gone, and others who click one that is new."""
    settings = Settings(home=tmp_path_factory.mktemp("market"))
    crowd = [account(number) for number in (BUYER, OTHER, ELSEWHERE)]
    best = [*range(100, 160), RISING, SAME_WORD]
    build(
        settings,
        {
            BEFORE: day_of(BEFORE, shown=shown_list(BEFORE, "q0", OTHER, best), products=GOODS, buyers=crowd),
            DAY: day_of(
                DAY,
                shown=shown_list(DAY, "q1", OTHER, best),
                reactions=[
                    *(reaction(DAY, "click", BUYER, liked) for liked in (LIKED, LIKED, GONE)),
                    *(reaction(DAY, "click", OTHER, RISING, request_id="q1", shop_id=99) for _ in range(4)),
                ],
                products=GOODS,
                buyers=crowd,
            ),
        },
    )
    return settings


def drawn(settings: Settings, group: int = 3, **scoring: int) -> dict[int, dict[int, set[str]]]:
    """By buyer and candidate, where it came from."""
    chosen = ScoringSettings(**{"explore": 2, "candidates": 40, **scoring})
    found: dict[int, dict[int, set[str]]] = {}
    with open_engine(settings.features) as engine:
        rows = (
            candidates(open_candidate_pool(engine, Lake(settings.lake_root), DAY, group, chosen, 7))
            .to_pyarrow()
            .to_pylist()
        )
    for row in rows:
        assert row["product_id"] not in found.setdefault(row["account_id"], {})
        found[row["account_id"]][row["product_id"]] = set(SOURCE_NAMES[row["sources"]].split("+"))
    return found


def test_each_candidate_remembers_every_source_it_came_from(market: Settings) -> None:
    mine = drawn(market)[BUYER]
    assert mine[LIKED] >= {"categories", "shops", "looked", "alike"}
    assert "categories" in mine[SAME_CATEGORY]
    assert "shops" in mine[SAME_SHOP]
    assert "alike" in mine[SAME_WORD]
    assert "rising" in mine[RISING]
    assert mine[100] >= {"base"}
    assert not {"categories", "shops", "looked", "alike"} & mine[100]


def test_nothing_that_is_not_on_sale_is_drawn_though_the_buyer_looked_at_it(market: Settings) -> None:
    assert all(GONE not in mine for mine in drawn(market).values())


def test_a_group_holds_its_own_buyers_and_all_of_them(market: Settings) -> None:
    assert set(drawn(market)) == {BUYER, OTHER}
    assert set(drawn(market, group=4)) == {ELSEWHERE}
    assert drawn(market, group=5) == {}


def test_a_measured_share_is_drawn_by_chance_and_the_same_again(market: Settings) -> None:
    for explore in (0, 5):
        first = drawn(market, explore=explore)
        chance = {buyer: {one for one in mine if "explore" in mine[one]} for buyer, mine in first.items()}
        assert [len(some) for some in chance.values()] == [explore, explore]
        assert first == drawn(market, explore=explore)
    assert chance[BUYER] != chance[OTHER]


def test_where_there_are_too_many_every_source_keeps_its_best(market: Settings) -> None:
    mine = drawn(market, candidates=12)[BUYER]
    assert len(mine) == 12
    assert set().union(*mine.values()) == {source.name for source in SOURCES}


def test_every_number_of_sources_has_its_name() -> None:
    assert len(SOURCE_NAMES) == 2 ** len(SOURCES)
    assert SOURCE_NAMES[1 << len(SOURCES) - 1] == "explore"


def test_a_day_without_features_is_refused(market: Settings, tmp_path: Path) -> None:
    nowhere = market.model_copy(update={"home": tmp_path})
    with open_engine(nowhere.features) as engine, pytest.raises(JoinError, match=f"no features as of {DAY}"):
        open_candidate_pool(engine, Lake(nowhere.lake_root), DAY, 3, nowhere.scoring, 7)
