"""The serving app under load while batches flip and champions change: requests a second, times, errors, mixed answers.

    python benchmarks/bench_serving.py

Starts an embedded MongoDB and an MLflow of its own, fills a lake with eight simulated days at scale 1 (2 000 buyers,
5 000 products), and starts the app as it runs in earnest. A second process asks it over some connections at once,
checks every answer, and counts: an error is any status but 200; an answer is mixed if its products are not of the batch
that it names, or if a version gives the same list other scores than before. Meanwhile a batch goes live every two
seconds and the champion changes every five. Its peers: `/alive`, which is the web framework answering nothing, and the
same list joined from the lake's files for each request.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any
from urllib.request import ProxyHandler, build_opener

import ibis
import numpy as np
import pyarrow as pa
import xgboost as xgb
from seeded import parse_seeded, seed
from simulated_market import live_in_lake

from rankloop.champions.current import reconcile_aliases
from rankloop.context import open_context
from rankloop.engine.opening import open_engine
from rankloop.features.catalogue import feature_names
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.mongo import connect
from rankloop.ranking.model import Model
from rankloop.ranking.preprocessing import learn
from rankloop.ranking.rankers.boosted import BoostedTrees
from rankloop.ranking.rankers.protocol import LearningCurve
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.pyfunc import put_model
from rankloop.registry.tracking import open_training
from rankloop.registry.versions import VersionSummary
from rankloop.scoring.ranker import choose_ranker
from rankloop.scoring.scorer import as_float32
from rankloop.serving.feature_cache import LIST
from rankloop.serving.rerank import ListToRank
from rankloop.settings import Settings
from rankloop.settings.ports import Ports
from rankloop.settings.serving import ServingSettings
from rankloop.state import ledger, rankings
from rankloop.state.ledger import LedgerDraft
from rankloop.state.rankings import DEFAULT_BUYER, Batch, Ranking
from rankloop_demo.simulator.living import Marketplace
from rankloop_demo.stack.environment import as_variables
from rankloop_demo.stack.tools import BIN, mongo_server

FIRST, DAYS = date(2026, 10, 1), 8
AS_OF = FIRST + timedelta(days=DAYS - 1)
SCALE, BUYERS, SHOWN, LISTED, LISTS = 1.0, 2000, 100, 100, 20
BATCHES, APART = 4, 1_000_000_000
TREES, DEPTH, ROWS = 200, 6, 1000
FLIP_S, CHAMPION_S = 2.0, 5.0
LATEST_S = 180.0
OK = 200


# The process that asks


def ask(kind: str, port: int, seconds: float, connections: int, lists: list[Any]) -> dict[str, Any]:
    """Ask for so long over so many connections at once; what came of it."""
    ended = monotonic() + seconds
    found = [Told() for _ in range(connections)]
    known: dict[tuple[int, int], Any] = {}
    threads = [
        threading.Thread(target=_one_connection, args=(kind, port, ended, lists, number, told, known))
        for number, told in enumerate(found)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = np.array([time for told in found for time in told.times])
    return {
        "a_second": len(times) / seconds,
        "p50": float(np.percentile(times, 50) * 1000),
        "p99": float(np.percentile(times, 99) * 1000),
        "errors": sum(told.errors for told in found),
        "mixed": sum(told.mixed for told in found),
        "seen": len({one for told in found for one in told.seen}),
    }


class Told:
    """What one connection was told."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.errors = self.mixed = 0
        self.seen: set[Any] = set()


def _one_connection(  # noqa: PLR0913, PLR0917  (a thread's)
    kind: str, port: int, ended: float, lists: list[Any], number: int, told: Told, known: dict[tuple[int, int], Any]
) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    draw = np.random.default_rng(number)
    while monotonic() < ended:
        place = int(draw.integers(len(lists)))
        began = perf_counter()
        try:
            status, body = _request(connection, kind, lists[place])
        except OSError:
            told.errors += 1
            connection.close()
            continue
        told.times.append(perf_counter() - began)
        if status != OK:
            told.errors += 1
        elif kind == "recommendations":
            told.seen.add(body["batch"])
            told.mixed += {one["product_id"] // APART for one in body["products"]} != {int(body["batch"][6:])}
        elif kind == "rerank":
            told.seen.add(body["version"])
            scores = tuple(one["score"] for one in body["products"])
            told.mixed += known.setdefault((place, body["version"]), scores) != scores


def _request(connection: HTTPConnection, kind: str, asked: Any) -> tuple[int, Any]:  # noqa: ANN401  (JSON)
    if kind == "rerank":
        connection.request("POST", "/v1/rerank", json.dumps(asked), {"content-type": "application/json"})
    elif kind == "recommendations":
        connection.request("GET", f"/v1/recommendations/{asked['account_id']}?k=30")
    else:
        connection.request("GET", "/alive")
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def main_client(arguments: argparse.Namespace) -> None:
    """What the second process does."""
    lists = json.loads(Path(arguments.lists).read_text())
    print(json.dumps(ask(arguments.client, arguments.port, arguments.seconds, arguments.connections, lists)))


# The servers


@contextmanager
def servers(folder: Path, ports: Ports) -> Iterator[None]:
    """MongoDB and MLflow."""
    place = ["--port", str(ports.mongo), "--storage-path", folder / "mongo", "--sync-on-commit"]
    mongo: list[Any] = [mongo_server(), "--host", "127.0.0.1", *place, "--log-level", "WARNING"]
    mlflow: list[Any] = [BIN / "mlflow", "server", "--host", "127.0.0.1", "--port", str(ports.mlflow), "--workers", "1"]
    mlflow += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    mlflow += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    (folder / "mongo").mkdir()
    with ExitStack() as ends:
        for command in (mongo, mlflow):
            log = ends.enter_context((folder / "log").open("ab"))
            ends.callback(_end, subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        _wait(f"http://127.0.0.1:{ports.mlflow}/health")
        yield


@contextmanager
def app(settings: Settings, folder: Path) -> Iterator[None]:
    """The app, in a process of its own, once it is ready."""
    command = [sys.executable, "-m", "rankloop.serving"]
    with (folder / "app.log").open("ab") as log:
        process = subprocess.Popen(command, env=os.environ | as_variables(settings), cwd="/", stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{settings.ports.serving}/health")
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(address: str) -> None:
    opener, late = build_opener(ProxyHandler({})), monotonic() + LATEST_S
    while True:
        try:
            if opener.open(address, timeout=5).status == OK:
                return
        except OSError:
            if monotonic() > late:
                raise
            sleep(0.2)


def free_ports() -> Ports:
    """Ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in Ports.model_fields]
        numbers = [one.getsockname()[1] for one in sockets]
    return Ports(**dict(zip(Ports.model_fields, numbers, strict=True)))


# What is served


def batches(settings: Settings) -> list[Batch]:
    """A few batches whose products tell which they are of."""
    made = []
    with connect(settings.mongo) as client:
        for number in range(1, BATCHES + 1):
            products = tuple(APART * number + place for place in range(SHOWN))
            scores, ranks = tuple(np.linspace(1, 0, SHOWN).tolist()), tuple(range(1, SHOWN + 1))
            by = ("base",) * SHOWN
            batch = Batch(f"batch_{number}", AS_OF, number, f"version {number}", datetime.now(UTC))
            rankings.record_batch(client, batch)
            for group in range(10):
                accounts = [*range(group or 10, BUYERS, 10), *([] if group else [DEFAULT_BUYER])]
                ranked = (Ranking(one, batch.policy, products, scores, scores, ranks, by) for one in accounts)
                rankings.write_shard(client, batch, group, ranked)
            made.append(batch)
    return made


def promote(settings: Settings, seed: int) -> int:
    """A version of trees over every feature, made the champion."""
    draw, names = np.random.default_rng(seed), feature_names()
    values = draw.random((ROWS, len(names))).astype(np.float32)
    booster = xgb.train({"max_depth": DEPTH, "nthread": 2}, xgb.DMatrix(values, draw.random(ROWS)), TREES)
    ranker = BoostedTrees(booster, len(names), LearningCurve("", (), TREES - 1))
    model = Model("xgboost", learn(settings.training.preprocessing, zip(names, values.T, strict=True)), ranker)
    run = open_training(Registry(settings.mlflow), f"bench {seed}", AS_OF, "weekly")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        example = pa.table({name: np.zeros(2) for name in names})
        digest = put_model(run, Path(folder) / "model", example)
    number = versions.register(
        Registry(settings.mlflow), run, digest, VersionSummary(AS_OF, {"training/lists": 1}, "passed")
    )
    make_champion(settings, number)
    return number


def make_champion(settings: Settings, number: int) -> None:
    """Have this version rank from now on."""
    with connect(settings.mongo) as client:
        entries = ledger.read_ledger(client)
        last = entries[-1] if entries else None
        draft = LedgerDraft(
            "promoted", f"{len(entries)}", number, last.after if last else None, number, "bench", "bench"
        )
        ledger.append_entry(client, draft, last, datetime.now(UTC))
        reconcile_aliases(client, Registry(settings.mlflow))


@contextmanager
def meanwhile(every_s: float, does: Callable[[], None]) -> Iterator[None]:
    """Do this every so often, for as long as the context lasts."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            does()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def some_lists(settings: Settings) -> list[dict[str, Any]]:
    """Lists to rank, each of a buyer and of products that the features know."""
    lake, draw = Lake(settings.lake_root), np.random.default_rng(seed())
    goods = lake.read("features/product", [AS_OF], ["product_id"])["product_id"].to_numpy()
    buyers = lake.read("features/buyer", [AS_OF], ["account_id"])["account_id"].to_numpy()
    at = datetime(2026, 10, 9, 13, tzinfo=UTC).isoformat()
    return [
        {
            "account_id": int(draw.choice(buyers)),
            "surface": "home",
            "ts": at,
            "products": [
                {"product_id": int(one), "base_score": round(float(draw.random()), 4)}
                for one in draw.choice(goods, LISTED, replace=False)
            ],
        }
        for _ in range(LISTS)
    ]


def from_files(settings: Settings, model: Model, asked: dict[str, Any]) -> float:
    """How long the same list takes when it is joined from the lake's files."""
    began = perf_counter()
    products = [one["product_id"] for one in asked["products"]]
    scores = [one["base_score"] for one in asked["products"]]
    at = datetime.fromisoformat(asked["ts"])
    rows = ListToRank(asked["account_id"], asked["surface"], at, products, scores).rows()
    with open_engine(settings.features) as engine:
        store = FeatureStore(Lake(settings.lake_root), settings.features, settings.zone)
        joined = SetJoiner(engine, store, engine.materialise(ibis.memtable(rows)), AS_OF).table()
        [batch] = engine.batches(joined, store.joined_schema(LIST)).read_all().combine_chunks().to_batches()
    model.score(as_float32(batch, model.features))
    return perf_counter() - began


def measured(settings: Settings, arguments: argparse.Namespace, lists: Path, kind: str, connections: int) -> Any:  # noqa: ANN401  (JSON)
    """What a second process was told."""
    command = [sys.executable, __file__, "--client", kind, "--port", str(settings.ports.serving)]
    command += ["--seconds", str(arguments.seconds), "--connections", str(connections), "--lists", str(lists)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(arguments: argparse.Namespace) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        ports = free_ports()
        serving = ServingSettings(requests_a_minute=10_000_000, look_every_s=0.5)
        address = f"mongodb://127.0.0.1:{ports.mongo}"
        settings = Settings(home=folder / "home", ports=ports, serving=serving, mongo_uri=address)
        place = Marketplace(seed=seed(), scale=SCALE, first_day=FIRST, timezone=settings.timezone, dirt=False)
        for _ in live_in_lake(settings, place, [FIRST + timedelta(days=day) for day in range(DAYS)], AS_OF):
            pass
        running.enter_context(servers(folder, ports))
        champions = cycle([promote(settings, 1), promote(settings, 2)])
        made = cycle(batches(settings))
        lists = folder / "lists.json"
        lists.write_text(json.dumps(some_lists(settings)))

        def flip() -> None:
            with connect(settings.mongo) as client:
                rankings.publish_batch(client, next(made), datetime.now(UTC))

        flip()
        running.enter_context(app(settings, folder))
        running.enter_context(meanwhile(FLIP_S, flip))
        running.enter_context(meanwhile(CHAMPION_S, lambda: make_champion(settings, next(champions))))
        asked = json.loads(lists.read_text())
        model = _model(settings)
        from_files(settings, model, asked[0])
        peer = [from_files(settings, model, one) for one in asked[: arguments.peer]]
        show(settings, arguments, lists, peer)


def show(settings: Settings, arguments: argparse.Namespace, lists: Path, peer: list[float]) -> None:
    """A row a kind of request, beside the peer's seconds."""
    print(f"{DAYS} days at scale {SCALE:g}; lists of {LISTED} products, {TREES} trees; {arguments.seconds:g} s each\n")
    print("| | connections | requests/s | p50 ms | p99 ms | batches or versions seen | errors | mixed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    p50, p99 = np.percentile(peer, [50, 99]) * 1000
    print(f"| the list joined from files (peer) | 1 | {1 / np.mean(peer):.1f} | {p50:.0f} | {p99:.0f} | | | |")
    for title, kind, connections in (
        ("`GET /alive` (peer: an answer of nothing)", "alive", 16),
        ("`GET /v1/recommendations`, 30 products", "recommendations", 1),
        ("`GET /v1/recommendations`, 30 products", "recommendations", 16),
        ("`POST /v1/rerank`, 100 products", "rerank", 1),
        ("`POST /v1/rerank`, 100 products", "rerank", 16),
    ):
        got = measured(settings, arguments, lists, kind, connections)
        print(
            f"| {title} | {connections} | {got['a_second']:,.0f} | {got['p50']:.1f} | {got['p99']:.1f} "
            f"| {got['seen'] or ''} | {got['errors']} | {got['mixed']} |",
            flush=True,
        )


def _model(settings: Settings) -> Model:
    with open_context(settings) as context:
        found = choose_ranker(context.state, context.registry).model
    assert found  # noqa: S101  (a champion was made)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each row is measured")
    parser.add_argument("--peer", type=int, default=10, help="how many lists are joined from files")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--lists", help=argparse.SUPPRESS)
    given = parse_seeded(parser)
    main_client(given) if given.client else main(given)
