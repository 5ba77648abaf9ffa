"""Lives days of a marketplace into MongoDB: the blocks of a day side by side, the days one after the other."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa

from rankloop.errors import RankloopError
from rankloop.experiment import is_control
from rankloop.mongo import Client, connect
from rankloop.settings import variable
from rankloop_demo.simulator.living import Marketplace, live
from rankloop_demo.simulator.loading import BEGIN_AGAIN, claim, lived_days, load, prepare, record_day
from rankloop_demo.simulator.pinned_batches import Shown, keep_for_tomorrow, left_by, pin, rankings_shown
from rankloop_demo.simulator.storefront import Rankings, as_rankings


@dataclass(frozen=True)
class DayReport:
    """What one lived day came to."""

    day: date
    shown: int
    documents: dict[str, int]
    """By collection."""
    dirty: int
    seconds: float


@dataclass(frozen=True)
class BlockReport:
    """What one block's day came to, as a worker sends it back."""

    documents: dict[str, int]
    shown: int
    stains: list[dict[str, Any]]


@dataclass(frozen=True)
class Diary:
    """Where days are lived into: a MongoDB, and the folder of the truth files."""

    uri: str
    truth: Path
    workers: int = 1


Blocks = Callable[[date, Shown], Iterator[BlockReport]]


def live_days(
    place: Marketplace, days: Sequence[date], diary: Diary, on_block: Callable[[], None] = lambda: None
) -> Iterator[DayReport]:
    """Live those of the days that are not in MongoDB yet, oldest first; a report as each is done."""
    _make_writable(diary.truth)
    client = connect(diary.uri)
    try:
        # Before anything is written, indexes included: this may be somebody's shop.
        missing = _still_to_live(client, place, days)
        prepare(client)
        with _blocks(place, diary, client) as blocks:
            for day in missing:
                # Before the first document: simulating the day again shows the same.
                shown = pin(client, day, place.control_share)
                started, reports = monotonic(), []
                for block in blocks(day, shown):
                    reports.append(block)
                    on_block()
                _write_truth(diary.truth, day, reports)
                report = _sum_up(day, reports, monotonic() - started)
                facts = {"documents": report.documents, "shown": report.shown, "dirty": report.dirty}
                record_day(client, day, {**facts, "batch": shown.batch, "scenarios": _begun(place, day)})
                yield report
    except BrokenProcessPool:
        raise RankloopError(
            "a process of the simulator died, perhaps for lack of memory. Nothing is lost: run the same command "
            "again, with fewer of them by RANKLOOP_SIMULATOR__WORKERS=1 if need be."
        ) from None
    finally:
        client.close()


def days_to_live(place: Marketplace, days: Sequence[date], diary: Diary) -> list[date]:
    """Return those of the days that are not in MongoDB yet."""
    client = connect(diary.uri)
    try:
        return _still_to_live(client, place, days)
    finally:
        client.close()


def _still_to_live(client: Client, place: Marketplace, days: Sequence[date]) -> list[date]:
    world = {"seed": place.seed, "scale": place.scale, "first_day": place.first_day.isoformat()}
    claim(client, {**world, "timezone": place.timezone, "dirt": place.dirt})
    done = lived_days(client)
    if done:
        newest = max(done)
        lived_with, wanted = done[newest].get("scenarios", {}), _begun(place, newest)
        if lived_with != wanted:
            raise RankloopError(
                f"days up to {newest} were lived with the scenarios {lived_with or 'none'}, but the settings ask for "
                f"{wanted or 'none'} by then. Let a scenario begin on {newest + timedelta(days=1)} or later "
                f"({variable('simulator.scenarios')}), or begin again: {BEGIN_AGAIN}."
            )
    return sorted(set(days) - set(done))


def _begun(place: Marketplace, day: date) -> dict[str, str]:
    """Return the scenarios that have begun by this day, as they are kept in the record of simulated days."""
    return {name: first.isoformat() for name, first in place.scenarios.first_day.items() if first <= day}


@contextmanager
def _blocks(place: Marketplace, diary: Diary, client: Client) -> Iterator[Blocks]:
    """Yield a function that simulates all blocks of a day, in as many processes as there are workers."""
    numbers = range(place.blocks)
    if diary.workers == 1:
        yield lambda day, shown: map(partial(_live_block, client, place, day, shown), numbers)
        return
    # Processes are spawned: a fork would share the driver's threads and sockets.
    with ProcessPoolExecutor(diary.workers, mp_context=get_context("spawn")) as pool:
        yield lambda day, shown: pool.map(partial(_live_in_worker, diary.uri, place, day, shown), numbers)


def _live_in_worker(uri: str, place: Marketplace, day: date, shown: Shown, block: int) -> BlockReport:
    """Live one block's day. Runs in a process of the pool, which keeps its own connection."""
    return _live_block(_client(uri), place, day, shown, block)


@cache
def _client(uri: str) -> Client:
    return connect(uri)


def _live_block(client: Client, place: Marketplace, day: date, shown: Shown, block: int) -> BlockReport:
    left = left_by(client, day - timedelta(days=1), block)
    from_yesterday = pa.ipc.open_stream(left).read_all() if left else None
    arrivals = live(place, day, block, from_yesterday, _rankings(client, place, shown, block))
    documents = load(client, arrivals.new, arrivals.changed)
    keep_for_tomorrow(client, day, block, _as_bytes(arrivals.tomorrow))
    return BlockReport(documents, arrivals.shown, [stain.row() for stain in arrivals.stains])


def _rankings(client: Client, place: Marketplace, shown: Shown, block: int) -> Rankings | None:
    """Return what a block's buyers outside the control group are shown; None on a day of base rankings."""
    if shown.batch is None:
        return None
    accounts = place.world.buyers.id[place.buyers_of(block)]
    accounts = accounts[~is_control(accounts, shown.control_share)]
    return as_rankings(place.world, rankings_shown(client, shown, accounts.tolist()))


def _as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _sum_up(day: date, reports: Sequence[BlockReport], seconds: float) -> DayReport:
    documents: Counter[str] = Counter()
    for report in reports:
        documents.update(report.documents)
    stained = sum(len(report.stains) for report in reports)
    return DayReport(day, sum(report.shown for report in reports), dict(documents), stained, seconds)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise RankloopError(
            f"the folder of the truth files, {folder}, cannot be written: {error.strerror}. "
            f"Set {variable('home')} to a folder of yours."
        ) from None


def _write_truth(folder: Path, day: date, reports: Sequence[BlockReport]) -> None:
    """Write a line for each dirty document of the day; the file appears whole or not at all."""
    unfinished = folder / f".{day}.{os.getpid()}.jsonl"
    with unfinished.open("w", encoding="utf-8") as file:
        for report in reports:
            file.writelines(json.dumps(stain, ensure_ascii=False) + "\n" for stain in report.stains)
    unfinished.replace(folder / f"{day}.jsonl")
