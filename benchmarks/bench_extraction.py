"""A market day out of MongoDB: ours beside `list(find())` into a DataFrame and bare PyMongoArrow.

    python benchmarks/bench_extraction.py

Starts an embedded server of its own, fills it with one simulated day (a day's lists twice and its reactions nine times
over, dirt and all: 300 000 documents and more), and has each contender read the day in a process of its own, one after
the other, twice; the better time counts. Ours does more than the others: it also finds what has no usable time, and
says what is wrong with every document that does not fit the contract.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pandas as pd
from pymongoarrow.api import Schema, find_arrow_all
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from seeded import parse_seeded, seed

from rankloop.calendar import day_bounds
from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS, SCHEMAS
from rankloop.contracts.sources import SOURCES
from rankloop.events.extraction import extract_day
from rankloop.events.ingestion import Ingestion
from rankloop.lake.tables import Lake
from rankloop.mongo import SHOP_DB, Client, connect
from rankloop.settings.cleaning import CleaningSettings
from rankloop.settings.source import SourceSettings
from rankloop.sources.mongo.reader import MongoSource
from rankloop.sources.protocol import SourceConfig
from rankloop_demo.simulator.living import Marketplace, live
from rankloop_demo.simulator.loading import load, prepare
from rankloop_demo.stack.tools import mongo_server

DAY = date(2026, 11, 2)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SCALE = 5.0
COPIES = {IMPRESSIONS: 2, INTERACTIONS: 9}
ROUNDS = 2
EVENTS = (IMPRESSIONS, INTERACTIONS)


def find_into_frame(address: str, collection: str) -> int:
    """What one writes first."""
    begin, end = day_bounds(DAY, ZONE)
    client = connect(address)
    return len(pd.DataFrame(list(client[SHOP_DB][collection].find({"ts": {"$gte": begin, "$lt": end}}))))


def bare_pymongoarrow(address: str, collection: str) -> int:
    """PyMongoArrow with the contract's schema, as its documentation has it."""
    begin, end = day_bounds(DAY, ZONE)
    client, schema = connect(address), Schema({field.name: field.type for field in SCHEMAS[collection]})
    query = {"ts": {"$gte": begin, "$lt": end}}
    return len(find_arrow_all(client[SHOP_DB][collection], query, schema=schema, allow_invalid=True))


def source_of(client: Client) -> MongoSource:
    """The source that reads this MongoDB, as the settings have it by default."""
    return MongoSource(SourceConfig(SourceSettings(), ZONE, lambda: client))


def ours(address: str, collection: str) -> int:
    """Ours, batch by batch, as the next step takes them."""
    return sum(len(batch) for batch in source_of(connect(address)).read_day(SOURCES[collection], DAY).batches)


def ours_into_lake(address: str, collection: str) -> int:
    """Ours with all that the task does: into the lake, with digest and facts."""
    with tempfile.TemporaryDirectory() as folder:
        client = connect(address)
        ingestion = Ingestion(source_of(client), Lake(folder), client, ZONE, CleaningSettings())
        return extract_day(ingestion, DAY, collection, day_bounds(DAY, ZONE)[1]).rows


CONTENDERS: dict[str, Callable[[str, str], int]] = {
    "list(find()) into a DataFrame": find_into_frame,
    "PyMongoArrow find_arrow_all": bare_pymongoarrow,
    "rankloop, as Arrow": ours,
    "rankloop, into the lake": ours_into_lake,
}


def main() -> None:
    """Measure, or be one of those measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", nargs=3, metavar=("NAME", "ADDRESS", "COLLECTION"), help=argparse.SUPPRESS)
    chosen = parse_seeded(parser).contender
    if chosen:
        name, address, collection = chosen
        started = monotonic()
        rows = CONTENDERS[name](address, collection)
        seconds = monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"seconds": seconds, "rows": rows, "peak": peak}))
        return
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address, Progress(transient=True) as bar:
        counts = fill(address, bar)
        step = bar.add_task("reading", total=ROUNDS * len(CONTENDERS) * len(EVENTS))
        results: dict[tuple[str, str], dict[str, Any]] = {}
        for _ in range(ROUNDS):
            for name in CONTENDERS:
                for collection in EVENTS:
                    found = measured(name, address, collection)
                    best = results.setdefault((name, collection), found)
                    best.update(seconds=min(best["seconds"], found["seconds"]), peak=max(best["peak"], found["peak"]))
                    bar.advance(step)
    show(counts, results)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """An embedded server with its data in this folder."""
    command = [str(mongo_server()), "--host", "127.0.0.1", "--port", "0", "--storage-path", str(folder)]
    command += ["--cache-size", "4G", "--log-file-max", "128MB", "--log-level", "WARNING"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout  # noqa: S101  (for the type checker)
            yield f"mongodb://127.0.0.1:{server.stdout.readline().strip().rpartition(':')[2]}"
        finally:
            server.kill()


def fill(address: str, bar: Progress) -> dict[str, int]:
    """One day of the simulated marketplace, its documents copied under other names."""
    place, client = Marketplace(seed(), SCALE, DAY, ZONE.key), connect(address)
    prepare(client)
    step = bar.add_task("filling MongoDB", total=place.blocks)
    for block in range(place.blocks):
        arrivals = live(place, DAY, block)
        for collection in EVENTS:
            for number in range(COPIES[collection]):
                load(client, {collection: [copied(entry, number) for entry in arrivals.new[collection]]}, {})
        bar.advance(step)
    return {name: client[SHOP_DB][name].count_documents({}) for name in EVENTS}


def copied(document: Any, number: int) -> Any:  # noqa: ANN401  (a document, as a dict or as BSON)
    """The document under another name, with another `_id` of the same second."""
    if isinstance(document, bytes):
        # The `_id` comes first, and its tenth byte is the highest of a number that never grows so large.
        return document[:18] + bytes([number]) + document[19:].replace(b"\x00q20", b"\x00%c20" % (113 + number), 1)
    again = dict(document)
    identity = again["_id"].binary
    again["_id"] = bson.ObjectId(identity[:9] + bytes([number]) + identity[10:])
    for name in ("interaction_id", "request_id"):
        if isinstance(again.get(name), str):
            again[name] = f"{again[name]}{number}"
    return again


def measured(name: str, address: str, collection: str) -> dict[str, Any]:
    """What a contender says of itself."""
    command = [sys.executable, __file__, "--contender", name, address, collection]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output))


def show(counts: dict[str, int], results: dict[tuple[str, str], dict[str, Any]]) -> None:
    """The table, with how many times as fast as each peer."""
    total = {name: sum(results[name, collection]["seconds"] for collection in EVENTS) for name in CONTENDERS}
    documents = sum(counts.values())
    parts_of_day = f"{counts[IMPRESSIONS]:,} lists and {counts[INTERACTIONS]:,} reactions"
    table = Table(title=f"A day of {documents:,} documents: {parts_of_day}")
    headings = ("lists s", "reactions s", "together s", "documents/s", "peak MB", "vs find()", "vs PyMongoArrow")
    for heading in ("", *headings):
        table.add_column(heading, justify="right" if heading else "left")
    frame, arrow, *_ = total.values()
    for name, seconds in total.items():
        parts = [results[name, collection] for collection in EVENTS]
        table.add_row(
            name,
            *(f"{part['seconds']:.2f}" for part in parts),
            f"{seconds:.2f}",
            f"{documents / seconds:,.0f}",
            f"{max(part['peak'] for part in parts):,}",
            f"{frame / seconds:.1f}",
            f"{arrow / seconds:.1f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
