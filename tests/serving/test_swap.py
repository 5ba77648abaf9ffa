"""What is served changes while it is asked for: batches flip, champions change, servers go away."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from pydantic import SecretStr

from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.versions import MODEL
from rankloop.scoring.ranker import load_ranker
from rankloop.settings import Settings
from rankloop.state import rankings
from tests import mongo_server
from tests.running import free_ports, wait_until
from tests.serving.conftest import DAYS, QUICK
from tests.serving.shop import Shop, for_anybody, ranking, running

pytestmark = pytest.mark.stack

FLIPS, BUYERS, STRANGER = 50, (101, 102, 103), 5
KEPT = 4
BASE = 1_000_000


@pytest.fixture
def shop(shop: Shop) -> Iterator[Shop]:
    """The shop, with nothing decided."""
    yield shop
    client = MlflowClient(shop.settings.mlflow, shop.settings.mlflow)
    if client.search_registered_models():
        client.delete_registered_model(MODEL)
    with connect(shop.settings.mongo) as mongo:
        mongo.drop_database("rankloop")


def batch_number(shop: Shop, number: int) -> rankings.Batch:
    """A batch in which everything tells its number: products, scores and who ranked."""
    products = [BASE * number + place for place in range(20)]
    ranked = [ranking(buyer, products, number, score=float(number)) for buyer in BUYERS]
    return shop.publish(f"batch_{number}", [*ranked, for_anybody(products)], number)


def number_of(answer: dict[str, Any]) -> int:
    """Which batch an answer is of, by all that tells it; they have to agree."""
    told = {int(answer["batch"].removeprefix("batch_")), *(one["product_id"] // BASE for one in answer["products"])}
    if not answer["fallback"]:
        told |= {answer["version"], int(answer["policy"].removeprefix("version "))}
        told |= {round(one["score"]) for one in answer["products"]}
    assert len(told) == 1, answer
    assert len(answer["products"]) == 20
    return told.pop()


@contextmanager
def meanwhile(asked: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Do this over and over for as long as the context lasts; what went wrong."""
    ended, wrong = threading.Event(), list[BaseException]()

    def run() -> None:
        while not ended.is_set():
            try:
                asked()
            except BaseException as error:  # noqa: BLE001  (told by the test)
                wrong.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield wrong
    finally:
        ended.set()
        thread.join(60)


def wait_until_seen(number: int, seen: Mapping[int, set[int]], wrong: Sequence[BaseException]) -> None:
    """Return once whoever reads has seen this batch, whichever buyer they ask about, or something went wrong."""
    wait_until(lambda: wrong or all(number in batches for batches in seen.values()), f"batch {number} to be seen")


def test_a_reader_sees_whole_batches_only_through_fifty_flips(shop: Shop) -> None:
    batch_number(shop, 1)
    seen: dict[int, set[int]] = {buyer: set() for buyer in (*BUYERS, STRANGER)}
    with running(shop.settings) as client:

        def poll() -> None:
            for buyer, batches in seen.items():
                answer = client.get(f"/v1/recommendations/{buyer}")
                assert answer.status_code == 200, answer.text
                assert answer.json()["fallback"] == (buyer == STRANGER)
                batches.add(number_of(answer.json()))

        with meanwhile(poll) as wrong:
            wait_until_seen(1, seen, wrong)
            for number in range(2, FLIPS + 2):
                batch_number(shop, number)
                wait_until_seen(number, seen, wrong)
                if number > KEPT + 1:
                    with connect(shop.settings.mongo) as mongo:
                        rankings.remove_batch(mongo, rankings.batch_by_name(mongo, f"batch_{number - KEPT}"))
        assert not wrong
    assert all(batches == set(range(1, FLIPS + 2)) for batches in seen.values())


def test_whoever_reads_mongodb_itself_sees_whole_batches_only(shop: Shop) -> None:
    batch_number(shop, 1)
    seen: dict[int, set[int]] = {buyer: set() for buyer in BUYERS}
    with connect(shop.settings.mongo) as mongo:

        def poll() -> None:
            live = rankings.live_batch(mongo)
            assert live
            assert live.version
            for buyer, batches in seen.items():
                found = rankings.buyer_ranking(mongo, live.batch, buyer)
                assert found
                assert {found.policy} == {live.policy}
                assert {one // BASE for one in found.products} == {live.version}
                assert len(found.products) == 20
                batches.add(live.version)

        with meanwhile(poll) as wrong:
            wait_until_seen(1, seen, wrong)
            for number in range(2, FLIPS + 2):
                batch_number(shop, number)
                wait_until_seen(number, seen, wrong)
    assert not wrong
    assert all(batches == set(range(1, FLIPS + 2)) for batches in seen.values())


def test_a_batch_that_was_removed_is_not_asked_for_again(shop: Shop) -> None:
    """As when the app was away for longer than batches are kept."""
    slow = shop.settings.model_copy(update={"serving": QUICK.model_copy(update={"look_every_s": 60})})
    batch_number(shop, 1)
    with running(slow) as client:
        assert number_of(client.get(f"/v1/recommendations/{BUYERS[0]}").json()) == 1
        first = batch_number(shop, 2)
        with connect(shop.settings.mongo) as mongo:
            rankings.remove_batch(mongo, rankings.batch_by_name(mongo, "batch_1"))
        assert first.name == "batch_2"
        assert number_of(client.get(f"/v1/recommendations/{BUYERS[0]}").json()) == 2


def test_a_champion_changes_and_no_request_fails_or_names_another_version_than_its_scores(shop: Shop) -> None:
    products = Lake(shop.settings.lake_root).read("features/product", [DAYS[-1]])["product_id"].to_pylist()[:20]
    offers = [{"product_id": one, "base_score": 0.5} for one in products]
    at = datetime(2026, 10, 5, 13, tzinfo=UTC).isoformat()
    asked = {"account_id": 100000, "surface": "home", "products": offers, "ts": at}
    batch_number(shop, 1)
    told: dict[int | None, set[tuple[float, ...]]] = {}
    with running(shop.settings) as client:

        def poll() -> None:
            answer = client.post("/v1/rerank", json=asked)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert found["policy"] == ("base" if found["version"] is None else f"version {found['version']}")
            told.setdefault(found["version"], set()).add(tuple(one["score"] for one in found["products"]))

        with meanwhile(poll) as wrong:
            wait_until(lambda: None in told or wrong, "the shop's own ranking, while there is no champion")
            first = shop.promote()
            wait_until(lambda: first in told or wrong, "the first champion")
            second = shop.promote()
            wait_until(lambda: second in told or wrong, "the second")
            shop.make_champion(first)
        assert not wrong
    assert [len(scores) for scores in told.values()] == [1, 1, 1]
    assert len({next(iter(scores)) for scores in told.values()}) == 3


def test_the_shops_own_ranking_goes_on_until_the_features_of_the_first_champion_are_loaded(
    shop: Shop, tmp_path: Path
) -> None:
    asked = {"account_id": 100000, "surface": "home", "products": [{"product_id": 1, "base_score": 0.5}]}
    batch_number(shop, 1)
    with running(shop.settings.model_copy(update={"lake": str(tmp_path / "lake")})) as client:

        def policy() -> str:
            answer = client.post("/v1/rerank", json=asked)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["policy"])

        first = shop.promote()
        for _ in range(20):  # looks at who is champion, ten a second
            assert policy() == "base"
            time.sleep(QUICK.look_every_s)
        shutil.copytree(shop.settings.lake_root, tmp_path / "coming")
        (tmp_path / "coming").rename(tmp_path / "lake")
        wait_until(lambda: policy() == f"version {first}", "the features")


def test_a_champion_whose_files_are_gone_is_replaced_by_the_one_before(shop: Shop) -> None:
    first, second = shop.promote(), shop.promote()
    batch_number(shop, 1)
    source = versions.version(Registry(shop.settings.mlflow), second).source
    get_artifact_repository(source, tracking_uri=shop.settings.mlflow).delete_artifacts()
    with running(shop.settings) as client:
        assert client.get("/health").json()["policy"] == f"version {first}"
    assert load_ranker(Registry(shop.settings.mlflow), first).model


def test_an_app_that_starts_before_its_servers_says_what_is_missing(home: Path) -> None:
    ports = free_ports()
    away = Settings(
        home=home,
        ports=ports,
        mongo_uri=SecretStr(f"mongodb://shop:hunter2@127.0.0.1:{ports.mongo}/?authSource=none"),
        mlflow_uri=f"http://127.0.0.1:{ports.mlflow}",
        serving=QUICK,
    )
    with running(away, ready=False) as client:
        assert client.get("/alive").status_code == 200
        wait_until(lambda: "looked for" not in client.get("/health").json()["why"], "the first look to fail")
        for path in ("/health", "/v1/recommendations/7", "/v1/explain/7/8"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "hunter2" not in answer.text
            assert "Traceback" not in answer.text
        assert client.get("/").status_code == 200  # the page says what is missing
        assert "Not ready" in client.get("/").text


def test_while_mongodb_hangs_it_says_so_in_time_and_goes_on_once_it_answers(tmp_path: Path, shop: Shop) -> None:
    with mongo_server.serving(tmp_path / "mongo") as address:
        settings = shop.settings.model_copy(update={"mongo_uri": SecretStr(address)})
        batch_number(Shop(settings), 1)
        with running(settings) as client:
            assert client.get(f"/v1/recommendations/{BUYERS[0]}").status_code == 200
            with hanging(int(address.rpartition(":")[2])):
                # On a busy machine some threads of a process that was stopped go on for a moment.
                asked = f"/v1/recommendations/{BUYERS[0]}"
                wait_until(lambda: client.get(asked, timeout=20).status_code == 503, "the last thread to stop")
                answer = client.get(asked, timeout=20)
                assert answer.status_code == 503
                assert "does not answer within 1 s" in answer.json()["error"]
                wait_until(lambda: client.get("/health").status_code == 503, "the loss to be noticed")
            wait_until(lambda: client.get("/health").status_code == 200, "MongoDB to be found again")
            assert client.get(f"/v1/recommendations/{BUYERS[0]}").status_code == 200


@contextmanager
def hanging(port: int) -> Iterator[None]:
    """Whoever listens there takes connections and answers nothing."""
    listening = (found for found in psutil.net_connections("tcp") if found.status == psutil.CONN_LISTEN)
    server = psutil.Process(next(found.pid for found in listening if found.laddr.port == port))
    server.suspend()
    try:
        yield
    finally:
        server.resume()
