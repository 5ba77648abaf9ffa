"""Features of a day: speed beside pandas at equal results, peak memory, and how the cost grows.

    .venv/bin/python benchmarks/bench_features.py [--without-large]

Each measurement runs in a process of its own. Two pandas peers make the same features: one from the same daily
aggregates as ours, one as a notebook does, from the events of the whole window. `--without-large` leaves out the day
of 20 million shown products, which takes some minutes to make.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from building import aggregate_day, build_features, lake_of
from feature_events import LAST, make_lake, settings_in
from features_in_pandas import build_day, build_day_from_events
from rich.console import Console
from rich.table import Table
from seeded import parse_seeded

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.engine.opening import open_engine
from rankloop.features.catalogue import AS_OF, feature_names
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.protocol import BuyerShard
from rankloop.features.joining.store import FeatureStore
from rankloop.settings import Settings

MILLION = 1_000_000
SMALL, MEDIUM, LARGE = 1.25, 5, 20
WINDOW = 28
ROUNDS = 3
JOIN_ROWS = MILLION


def ours(settings: Settings, _into: Path) -> None:
    """Both tasks of the day, written to the lake."""
    aggregate_day(settings, LAST)
    build_features(settings, LAST)


def join(settings: Settings, _into: Path) -> None:
    """The day's lists joined with its features, streamed and thrown away."""
    lake = lake_of(settings)
    portions = max(1, round(lake.rows(SHOWN)[LAST] / JOIN_ROWS))
    with open_engine(settings.features) as engine:
        store = FeatureStore(lake, settings.features, settings.zone)
        lists = engine.read(lake.files(SHOWN, [LAST]), EVENT_SCHEMAS[SHOWN])
        for number in range(portions):
            shard = BuyerShard(number, portions)
            for _batch in joiner_for(engine, store, lists, LAST, shard=shard).rows(feature_names()):
                pass


def in_pandas(settings: Settings, into: Path) -> None:
    """The same from the same daily aggregates."""
    build_day(settings, LAST, lake_of(settings).files, into)


def in_pandas_from_events(settings: Settings, into: Path) -> None:
    """The same from the events of the window."""
    build_day_from_events(settings, LAST, lake_of(settings).files, into)


WORK: dict[str, Callable[[Settings, Path], None]] = {
    work.__name__: work for work in (ours, join, in_pandas, in_pandas_from_events)
}


def measured(
    work: Callable[[Settings, Path], None], home: Path, window: int = WINDOW, rounds: int = 1
) -> tuple[float, float]:
    """The least seconds of some rounds, and the peak megabytes; each in a process of its own."""
    found = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--measure", work.__name__, str(home), str(window)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout))
    return min(seconds for seconds, _ in found), max(peak for _, peak in found)


def measure(name: str, home: Path, window: int) -> None:
    """Do this work here and print what it took."""
    settings = settings_in(home, window_days=window)
    started = perf_counter()
    WORK[name](settings, home / "pandas")
    print(json.dumps([perf_counter() - started, peak_mb()]))


def peak_mb() -> float:
    """The most memory this process ever had; `getrusage` would count what the process that started it had."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def differences(home: Path) -> list[str]:
    """The columns in which the pandas tables in this home are not equal to those of the lake.

    Whole numbers and texts must be equal to the last bit, fractions to a billionth: pandas divides in another order.
    """
    lake, found = lake_of(settings_in(home)), []
    for builder in AS_OF:
        order = [(key, "ascending") for key in builder.spec.keys]
        mine = lake.read(builder.spec.name, [LAST]).sort_by(order)
        theirs = pq.read_table(home / "pandas" / f"{builder.spec.name}.parquet").sort_by(order)
        if mine.num_rows != theirs.num_rows:
            found.append(f"{builder.spec.name}: {mine.num_rows} rows against {theirs.num_rows}")
            continue
        found += [
            f"{builder.spec.name}.{name}"
            for name in (column.name for column in (*builder.spec.key, *builder.spec.columns))
            if not _equal(mine[name], theirs[name])
        ]
    return found


def _equal(mine: pa.ChunkedArray, theirs: pa.ChunkedArray) -> bool:
    if pa.types.is_string(mine.type):
        return bool(pc.all(pc.equal(mine, theirs.cast(pa.string()))).as_py())
    numbers = [pc.fill_null(array.cast(pa.float64()), -1e300) for array in (mine, theirs)]
    numbers[1] = pc.if_else(pc.is_nan(numbers[1]), -1e300, numbers[1])
    far = pc.abs(pc.subtract(*numbers))
    allowed = pc.multiply(pc.abs(numbers[0]), 0.0 if pa.types.is_integer(mine.type) else 1e-9)
    return bool(pc.all(pc.less_equal(far, pc.add(allowed, 0.0 if pa.types.is_integer(mine.type) else 1e-15))).as_py())


def show_peers(console: Console, home: Path) -> tuple[float, float]:
    """Ours beside pandas."""
    table = Table(
        "features of a day, 5 million shown",
        *(f"{title}" for title in ("seconds", "peak MB", "ours is faster by")),
        title="Speed beside pandas",
    )
    mine, peak = measured(ours, home, rounds=ROUNDS)
    table.add_row("Rankloop (DuckDB, written to Delta)", f"{mine:.1f}", f"{peak:.0f}", "")
    for title, work in (
        ("pandas, from the same daily aggregates", in_pandas),
        ("pandas, from the events of 28 days", in_pandas_from_events),
    ):
        seconds, theirs = measured(work, home, rounds=ROUNDS)
        table.add_row(title, f"{seconds:.1f}", f"{theirs:.0f}", f"{seconds / mine:.1f} times")
        unequal = differences(home)
        console.print(f"{title}: {'UNEQUAL ' + ', '.join(unequal) if unequal else 'all eight tables equal'}")
    console.print(table)
    return mine, peak


def show_growth(console: Console, sizes: dict[float, tuple[float, float]], windows: dict[int, float]) -> None:
    """Cost against events a day and against the window."""
    table = Table("shown a day, million", "seconds", "seconds a million", "peak MB", title="Growth with events")
    for size, (seconds, peak) in sorted(sizes.items()):
        table.add_row(f"{size:g}", f"{seconds:.1f}", f"{seconds / size:.2f}", f"{peak:.0f}")
    console.print(table)
    table = Table("window", "seconds", "against 7 days", title="Growth with the window, 5 million shown a day")
    for window, seconds in sorted(windows.items()):
        table.add_row(f"{window} days", f"{seconds:.1f}", f"{seconds / windows[7]:.2f} times")
    console.print(table)


def show_join(console: Console, home: Path) -> None:
    """What lists cost when they are joined."""
    seconds, peak = measured(join, home)
    table = Table("rows joined, million", "seconds", "rows a second", "peak MB", title="Lists joined with all features")
    table.add_row(f"{MEDIUM:g}", f"{seconds:.1f}", f"{MEDIUM * MILLION / seconds:,.0f}", f"{peak:.0f}")
    console.print(table)


def main() -> None:
    """Make the lakes, measure, print."""
    parser, console = argparse.ArgumentParser(), Console()
    parser.add_argument("--without-large", action="store_true", help="leave out the largest lake")
    sizes = [SMALL, MEDIUM] if parse_seeded(parser).without_large else [SMALL, MEDIUM, LARGE]
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
        homes = {size: Path(folder) / str(size) for size in sizes}
        for size, home in homes.items():
            started = perf_counter()
            make_lake(settings_in(home), round(size * MILLION), WINDOW, whole=size == MEDIUM)
            console.print(f"made 28 days of {size:g} million shown in {perf_counter() - started:.0f} s")
        results = {MEDIUM: show_peers(console, homes[MEDIUM])}
        windows = {WINDOW: results[MEDIUM][0], 7: measured(ours, homes[MEDIUM], 7, ROUNDS)[0]}
        show_join(console, homes[MEDIUM])
        for size in set(sizes) - {MEDIUM}:
            results[size] = measured(ours, homes[size], rounds=1 if size == LARGE else ROUNDS)
        show_growth(console, results, windows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
