"""Simulating and loading the marketplace: speed, speed beside a bare insert_many, and peak memory.

    .venv/bin/python benchmarks/bench_simulator.py [--large]

Each measurement runs in a process of its own, against a server of its own. `--large` adds a day of 20 million
shown products, which takes some minutes and 8 GB of disk.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import bson
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table
from seeded import parse_seeded, seed

from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS
from rankloop.mongo import Client
from rankloop_demo.simulator.history import Diary, live_days
from rankloop_demo.simulator.living import Arrivals, Marketplace, live
from rankloop_demo.simulator.loading import load, prepare
from rankloop_demo.stack.tools import mongo_server

FIRST_DAY = date(2026, 10, 1)
LARGE = 62.0
ROUNDS = 3


def marketplace(scale: float) -> Marketplace:
    """The demo's marketplace at this scale."""
    return Marketplace(seed=seed(), scale=scale, first_day=FIRST_DAY, timezone="Asia/Ho_Chi_Minh")


@contextmanager
def server() -> Iterator[str]:
    """A fresh server; gives its address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [mongo_server(), "--host", "127.0.0.1", "--port", "0", "--storage-path", folder]
        command += ["--cache-size", "1G", "--log-file-max", "128MB", "--sync-on-commit"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            port = process.stdout.readline().strip().rpartition(":")[2]
            try:
                yield f"mongodb://127.0.0.1:{port}"
            finally:
                process.kill()


def a_day(place: Marketplace) -> tuple[list[Arrivals], float]:
    """What arrives on the third day, block by block, and the seconds that took; the day before is there already."""
    day = FIRST_DAY + timedelta(days=2)
    yesterday = [live(place, day - timedelta(days=1), block).tomorrow for block in range(place.blocks)]
    started = perf_counter()
    blocks = [live(place, day, block, yesterday[block]) for block in range(place.blocks)]
    return blocks, perf_counter() - started


def loading(scale: float) -> dict[str, Any]:
    """A day's lists and reactions: simulated, loaded by us, and loaded by a bare insert_many of ready dicts."""
    blocks, simulated = a_day(marketplace(scale))
    ours = [{name: block.new[name] for name in (IMPRESSIONS, INTERACTIONS)} for block in blocks]
    peer = [{name: [_as_dict(entry) for entry in entries] for name, entries in block.items()} for block in ours]
    best = {"ours": float("inf"), "peer": float("inf")}
    for _ in range(ROUNDS):
        best["ours"] = min(best["ours"], _seconds(ours, lambda client, new: load(client, new, {})))
        best["peer"] = min(best["peer"], _seconds(peer, _insert_many))
    documents = sum(len(entries) for block in ours for entries in block.values())
    return {**best, "documents": documents, "simulated": simulated, "shown": sum(block.shown for block in blocks)}


def _seconds(blocks: list[dict[str, Any]], put: Callable[[Client, dict[str, Any]], object]) -> float:
    """How long it takes to put these into a new server with the marketplace's indexes."""
    with server() as uri, MongoClient[dict[str, Any]](uri) as client:
        prepare(client)
        started = perf_counter()
        for block in blocks:
            put(client, block)
        return perf_counter() - started


def _insert_many(client: Client, new: dict[str, Any]) -> None:
    for collection, entries in new.items():
        if entries:
            client["marketplace"][collection].insert_many(entries, ordered=False)


def _as_dict(document: Any) -> dict[str, Any]:  # noqa: ANN401  (a dict or BSON)
    return bson.decode(document) if isinstance(document, bytes) else document


def memory(scale: float, days: int) -> dict[str, Any]:
    """The peak memory and the time of living these days into a server, where this one process does it all."""
    with server() as uri, tempfile.TemporaryDirectory() as truth:
        started = perf_counter()
        history = [FIRST_DAY + timedelta(days=number) for number in range(days)]
        reports = list(live_days(marketplace(scale), history, Diary(uri, Path(truth), workers=1)))
        seconds = perf_counter() - started
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"shown": reports[-1].shown, "seconds": seconds, "megabytes": own // 1024}


def measured(function: str, *arguments: float) -> dict[str, Any]:
    """The figures of one measurement, made in a process of its own."""
    command = [sys.executable, __file__, function, *map(str, arguments)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return figures


def print_speed(console: Console) -> None:
    """How fast, beside insert_many."""
    found = measured("loading", 4)
    title = f"Speed, one process, the best of {ROUNDS} rounds"
    table = Table("a day at scale 4", "per second", "beside the peer", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    peer = found["documents"] / found["peer"]
    table.add_row(
        "products shown, simulated and written as documents", f"{found['shown'] / found['simulated']:,.0f}", ""
    )
    table.add_row("documents, insert_many of ready dicts (the peer)", f"{peer:,.0f}", "1.00")
    for label, seconds in (
        ("documents, loaded by us", found["ours"]),
        ("documents, simulated and loaded by us", found["ours"] + found["simulated"]),
    ):
        rate = found["documents"] / seconds
        table.add_row(label, f"{rate:,.0f}", f"{rate / peer:.2f}")
    console.print(table)


def print_memory(console: Console, *, large: bool) -> None:
    """How much memory, by scale and by number of days."""
    table = Table("scale", "days", "products shown a day", "seconds a day", "peak memory", title="Memory, one process")
    for column in table.columns:
        column.justify = "right"
    for scale, days in ((1, 2), (1, 12), (4, 2), (4, 12), *(((LARGE, 1),) if large else ())):
        found = measured("memory", scale, days)
        row = (f"{found['shown']:,}", f"{found['seconds'] / days:.1f}", f"{found['megabytes']:,} MB")
        table.add_row(f"{scale:g}", str(days), *row)
    console.print(table)


def main() -> None:
    """Print the tables, or make the one measurement that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="a market of millions too")
    parser.add_argument("measure", nargs="*", help=argparse.SUPPRESS)
    asked = parse_seeded(parser)
    if asked.measure:
        name, scale, *rest = asked.measure
        measures: dict[str, Any] = {"loading": loading, "memory": memory}
        print(json.dumps(measures[name](float(scale), *map(int, map(float, rest)))))
        return
    console = Console(width=110)
    print_speed(console)
    print_memory(console, large=asked.large)


if __name__ == "__main__":
    main()
