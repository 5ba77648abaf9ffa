"""What the app answers, about a shop with a champion and a live batch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import ibis
import pyarrow as pa
import pytest

from rankloop.engine.opening import open_engine
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.registry.connection import Registry
from rankloop.scoring.ranker import load_ranker
from rankloop.scoring.scorer import as_float32
from rankloop.serving.feature_cache import LIST
from rankloop.serving.rerank import ListToRank
from rankloop.serving.schemas import MAX_ID
from tests.serving.conftest import DAYS
from tests.serving.shop import FEATURES, Shop, for_anybody, ranking, running

pytestmark = pytest.mark.stack

AT = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
STRANGER = 5


@pytest.fixture(scope="module")
def buyers(shop: Shop) -> list[int]:
    """Buyers that the features know, the busiest first."""
    known = Lake(shop.settings.lake_root).read("features/buyer", [DAYS[-1]], ["account_id", "buyer_clicks_28d"])
    found: list[int] = known.sort_by([("buyer_clicks_28d", "descending")])["account_id"].to_pylist()
    return found


@pytest.fixture(scope="module")
def goods(shop: Shop) -> list[int]:
    """Products that the features know."""
    found: list[int] = Lake(shop.settings.lake_root).read("features/product", [DAYS[-1]])["product_id"].to_pylist()
    return found


@pytest.fixture(scope="module")
def version(shop: Shop) -> int:
    """The champion."""
    return shop.promote()


@pytest.fixture(scope="module")
def client(shop: Shop, version: int, buyers: list[int], goods: list[int]) -> Iterator[httpx.Client]:
    """A client of the app, whose live batch knows two buyers."""
    known = [ranking(buyer, goods[start : start + 40], version) for start, buyer in enumerate(buyers[:2])]
    shop.publish("first", [*known, for_anybody(goods[50:70])], version)
    with running(shop.settings) as found:
        yield found


def a_list(buyer: int, products: list[int], surface: str = "home") -> dict[str, Any]:
    """A request to rank."""
    offers = [{"product_id": one, "base_score": 1 - place / 100} for place, one in enumerate(products)]
    return {"account_id": buyer, "surface": surface, "products": offers, "ts": AT.isoformat()}


def as_evaluated(shop: Shop, version: int, asked: dict[str, Any]) -> dict[int, float]:
    """The score of each product, by way of the lake's files and nothing of the app."""
    products = [offer["product_id"] for offer in asked["products"]]
    scores = [offer["base_score"] for offer in asked["products"]]
    rows = ListToRank(asked["account_id"], asked["surface"], AT, products, scores).rows()
    model = load_ranker(Registry(shop.settings.mlflow), version).model
    assert model
    with open_engine(shop.settings.features) as engine:
        store = FeatureStore(Lake(shop.settings.lake_root), shop.settings.features, shop.settings.zone)
        joined = SetJoiner(engine, store, engine.materialise(ibis.memtable(rows)), DAYS[-1]).table()
        table = engine.batches(joined, store.joined_schema(LIST)).read_all().combine_chunks()
    [batch] = table.to_batches()
    found = model.score(as_float32(batch, model.features)).tolist()
    return dict(zip(table["product_id"].to_pylist(), found, strict=True))


def test_a_buyer_gets_their_ranking_of_the_live_batch(
    client: httpx.Client, buyers: list[int], goods: list[int], version: int
) -> None:
    answer = client.get(f"/v1/recommendations/{buyers[0]}?k=3").json()
    assert (answer["batch"], answer["version"], answer["fallback"]) == ("first", version, False)
    assert [one["product_id"] for one in answer["products"]] == goods[:3]
    assert answer["products"][0]["sources"] == ["base", "shops"]
    assert [one["base_rank"] for one in answer["products"]] == [40, 39, 38]


def test_an_unknown_buyer_gets_the_shops_own_best_marked_as_such(client: httpx.Client, goods: list[int]) -> None:
    counted = fallbacks(client)
    answer = client.get(f"/v1/recommendations/{STRANGER}").json()
    assert (answer["fallback"], answer["policy"], answer["version"]) == (True, "base", None)
    assert [one["product_id"] for one in answer["products"]] == goods[50:70]
    assert fallbacks(client) == counted + 1


def fallbacks(client: httpx.Client) -> float:
    """How many the metrics have counted."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("rankloop_serving_fallbacks_total"))


def test_a_list_gets_exactly_the_scores_that_evaluation_gives(
    shop: Shop, client: httpx.Client, buyers: list[int], goods: list[int], version: int
) -> None:
    for buyer, surface in ((buyers[0], "home"), (buyers[7], "search"), (STRANGER, "category")):
        asked = a_list(buyer, [*goods[:30], 1, 2], surface)
        answer = client.post("/v1/rerank", json=asked).json()
        assert (answer["version"], answer["day"]) == (version, DAYS[-1].isoformat())
        assert {one["product_id"]: one["score"] for one in answer["products"]} == as_evaluated(shop, version, asked)


def test_a_list_comes_back_best_first(client: httpx.Client, buyers: list[int], goods: list[int]) -> None:
    answer = client.post("/v1/rerank", json=a_list(buyers[0], goods[:30])).json()
    scores = [one["score"] for one in answer["products"]]
    assert scores == sorted(scores, reverse=True)
    assert [one["rank"] for one in answer["products"]] == list(range(1, 31))
    assert {one["product_id"]: one["base_rank"] for one in answer["products"]} == {
        product: place for place, product in enumerate(goods[:30], 1)
    }


def test_lists_that_come_at_once_do_not_mix(client: httpx.Client, buyers: list[int], goods: list[int]) -> None:
    asked = [a_list(buyers[place % 6], goods[place : place + 25]) for place in range(24)]
    alone = [client.post("/v1/rerank", json=one).json() for one in asked]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda one: client.post("/v1/rerank", json=one).json(), asked))
    assert together == alone


def test_features_go_with_the_hour_at_which_the_list_is_shown(client: httpx.Client, goods: list[int]) -> None:
    without = {**a_list(STRANGER, goods[:3])}
    del without["ts"]
    assert client.post("/v1/rerank", json=without).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"account_id": -1}, "account_id"),
        ({"account_id": "7"}, "account_id"),
        ({"account_id": MAX_ID + 1}, "account_id"),
        ({"surface": "cart"}, "surface"),
        ({"products": []}, "products"),
        ({"products": [{"product_id": 1, "base_score": 1}, {"product_id": 1, "base_score": 2}]}, "products"),
        ({"products": [{"product_id": 1}]}, "products.0.base_score"),
        ({"products": [{"product_id": 1, "base_score": 1e9}]}, "products.0.base_score"),
        ({"products": [{"product_id": 1, "base_score": 1, "colour": "red"}]}, "products.0.colour"),
        ({"products": [{"product_id": place, "base_score": 1} for place in range(501)]}, "products"),
        ({"ts": "2026-10-05 20:00"}, "ts"),
        ({"ts": "0001-01-01T00:00:00Z"}, "ts"),
        ({"ts": 7}, "ts"),
        ({"hour": 7}, "hour"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(
    client: httpx.Client, goods: list[int], change: dict[str, Any], field: str
) -> None:
    answer = client.post("/v1/rerank", json=a_list(1, goods[:2]) | change)
    assert answer.status_code == 422
    assert [flaw["field"] for flaw in answer.json()["fields"]] == [field]


def test_a_number_that_json_does_not_have_is_refused(client: httpx.Client) -> None:
    body = '{"account_id": 1, "surface": "home", "products": [{"product_id": 1, "base_score": NaN}]}'
    answer = client.post("/v1/rerank", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["fields"][0]["field"]) == (422, "products.0.base_score")


@pytest.mark.parametrize("path", ["/v1/recommendations/me", "/v1/recommendations/-1", "/v1/recommendations/7?k=0"])
def test_an_address_that_means_nothing_is_refused(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 422


def test_an_unknown_address_is_said_to_be_so(client: httpx.Client) -> None:
    answer = client.get("/v2/everything")
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(client: httpx.Client) -> None:
    large = b'{"account_id": 1,' + b" " * 2_000_000
    whole = client.post("/v1/rerank", content=large, headers={"content-type": "application/json"})
    in_pieces = client.post(
        "/v1/rerank",
        content=(large[start : start + 50_000] for start in range(0, len(large), 50_000)),
        headers={"content-type": "application/json"},
    )
    assert (whole.status_code, in_pieces.status_code) == (413, 413)


def test_what_moved_a_product_is_said_in_words(
    client: httpx.Client, buyers: list[int], goods: list[int], version: int
) -> None:
    answer = client.get(f"/v1/explain/{buyers[0]}/{goods[2]}").json()
    assert (answer["version"], answer["rank"], answer["base_rank"]) == (version, 3, 38)
    assert "number 3 of 40; the shop's own ranking has it at 38" in answer["sentence"]
    assert answer["reasons"]
    for reason in answer["reasons"]:
        assert reason["feature"] in FEATURES
        assert "setting" not in reason["means"]
        assert reason["by"] > 0
    assert answer["reasons"][0]["means"] in answer["sentence"]


def test_reasons_add_up_to_what_sets_the_product_apart(
    shop: Shop, client: httpx.Client, buyers: list[int], goods: list[int], version: int
) -> None:
    offers = [{"product_id": one, "base_score": 0.5 + place / 1000} for place, one in enumerate(goods[:40])]
    scores = as_evaluated(shop, version, {"account_id": buyers[0], "surface": "home", "products": offers})
    usual = sum(scores.values()) / len(scores)
    answers = [client.get(f"/v1/explain/{buyers[0]}/{product}").json() for product in goods[:8]]
    # A few of each direction are said; of these, all that the model has.
    whole = [answer for answer in answers if len(answer["reasons"]) == len(FEATURES)]
    assert whole
    for answer in whole:
        said = sum(reason["by"] * (1 if reason["moves"] == "up" else -1) for reason in answer["reasons"])
        assert said == pytest.approx(scores[answer["product_id"]] - usual, abs=0.001)


def test_nothing_is_explained_of_a_product_that_is_not_shown(client: httpx.Client, buyers: list[int]) -> None:
    answer = client.get(f"/v1/explain/{buyers[0]}/1")
    assert answer.status_code == 404
    assert "there is nothing to explain" in answer.json()["error"]


def test_no_model_is_said_to_have_moved_what_the_shop_itself_ranked(client: httpx.Client, goods: list[int]) -> None:
    answer = client.get(f"/v1/explain/{STRANGER}/{goods[50]}").json()
    assert (answer["policy"], answer["version"], answer["reasons"]) == ("base", None, [])
    assert "the batch does not have this buyer" in answer["sentence"]


def test_who_is_ready_says_what_is_served(client: httpx.Client, version: int) -> None:
    answer = client.get("/health").json()
    assert answer == {
        "ready": True,
        "why": "",
        "batch": "first",
        "policy": f"version {version}",
        "day": DAYS[-1].isoformat(),
    }


def test_the_figures_name_routes_and_not_buyers(client: httpx.Client, version: int) -> None:
    client.get("/v1/recommendations/123456")
    page = client.get("/metrics").text
    assert 'route="/v1/recommendations/{account_id}",status="200"' in page
    assert "123456" not in page
    assert f"rankloop_serving_version {float(version)}" in page
    assert "rankloop_serving_ready 1.0" in page


def test_no_page_may_load_anything_from_elsewhere(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "https://" not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil", "", "10.0.0.9"]
)
def test_a_request_for_another_host_name_is_rejected(client: httpx.Client, host: str) -> None:
    """A page of another site could send it by DNS rebinding, through a browser on this machine."""
    answer = client.get("/v1/recommendations/7", headers={"host": host})
    assert answer.status_code == 400
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:4711", "LOCALHOST", "[::1]:8000"])
def test_a_request_for_a_name_of_this_machine_is_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/alive", headers={"host": host}).status_code == 200


def test_features_as_a_list_has_them_need_no_personal_field() -> None:
    assert set(LIST.names) == {"request_id", "account_id", "product_id", "ts", "surface", "base_score"}
    assert pa.types.is_int64(LIST.field("account_id").type)
