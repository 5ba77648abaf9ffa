"""The day's drift check: every row counted, and Evidently on a sample, beside Evidently on everything.

    .venv/bin/python benchmarks/bench_drift.py [--rows 1000000] [--columns 60]

Rows are drawn by chance: counts, prices, shares, codes and gaps as features have them, in a Parquet file that the
engine reads; a fifth of the columns has moved, by little or by much. The reference has 100 000 rows. Ours counts every
row where the engine has it, makes PSI and KS of each column beside what the reference's days differ by, and hands
Evidently 20 000 rows of each side for the page, of the columns that drifted and those that moved most, 20 at most. Its
peer hands Evidently everything, for a page of all columns by the same PSI. Scoring and joining are in neither. Each
runs in a process of its own, which tells its peak memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from bench_features import peak_mb
from rich.console import Console
from rich.table import Table
from seeded import parse_seeded, seed

from rankloop.engine.opening import open_engine
from rankloop.monitoring.measure.drift import column_measurements, largest_reference_deviation
from rankloop.monitoring.measure.histogram import count_column, deserialise_counts, merge_counts, serialise_counts
from rankloop.monitoring.measure.reference import Reference
from rankloop.monitoring.report.drift_report import columns_to_show
from rankloop.monitoring.report.evidently_page import evidently_page
from rankloop.settings.drift import DriftSettings
from rankloop.settings.features import FeatureSettings

REFERENCE, DAY = "reference.parquet", "dt=2026-10-09/day.parquet"
REFERENCE_ROWS, REPORT_ROWS, DAYS, LIMIT = 100_000, 20_000, 8, 0.2
MOVED = 5
"""Every so many columns, one has moved."""
DRAWS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "count": lambda draw, rows: draw.negative_binomial(1, 0.05, rows),
    "price": lambda draw, rows: np.round(draw.lognormal(12, 1, rows), -3),
    "share": lambda draw, rows: draw.beta(2, 20, rows),
    "code": lambda draw, rows: draw.geometric(0.1, rows).clip(1, 63),
    "gap": lambda draw, rows: np.where(draw.binomial(1, 0.3, rows) == 1, np.nan, draw.normal(size=rows)),
}


def names(columns: int) -> list[str]:
    """The columns, by what is in them."""
    kinds = list(DRAWS)
    return [f"{kinds[number % len(kinds)]}_{number}" for number in range(columns)]


def make(path: Path, rows: int, columns: int, *, moved: bool) -> None:
    """Write rows; if they are the day's, with some columns that have moved by ever more."""
    schema = pa.schema([(name, pa.float32()) for name in names(columns)])
    with pq.ParquetWriter(path, schema, compression="zstd") as sink:
        for start in range(0, rows, 1 << 17):
            many, made = min(1 << 17, rows - start), {}
            for number, name in enumerate(names(columns)):
                draw = np.random.default_rng([seed(), number, start, moved])
                values = DRAWS[name.partition("_")[0]](draw, many).astype(np.float32)
                shift = 1 + 0.05 * number * (moved and number % MOVED == number // MOVED % MOVED)
                made[name] = values * np.float32(shift)
            sink.write_table(pa.table(made, schema))


def reference_in(folder: Path) -> Reference:
    """The reference, of so many days, each row for itself."""
    table = pq.ParquetFile(folder / REFERENCE).read()
    first, rows = date(2026, 10, 1), table.num_rows
    facts: dict[str, Any] = {
        "dt": pa.array([first + timedelta(days=number * DAYS // rows) for number in range(rows)], pa.date32()),
        "weight": np.ones(rows),
        "pscore": table.column(0).to_numpy(),
    }
    for name, values in facts.items():
        table = table.append_column(name, pa.array(values))
    return Reference(1, SimpleNamespace(features=tuple(table.column_names[: -len(facts)])), table)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Counting:
    """What is sent to where the rows are."""

    reference: Reference

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count all of them."""
        found = None
        for batch in batches:
            pairs = zip(self.reference.bins, batch.columns, strict=False)
            part = [count_column(bins, column.to_numpy(zero_copy_only=False)) for bins, column in pairs]
            found = part if found is None else [merge_counts(*pair) for pair in zip(found, part, strict=True)]
        yield pa.RecordBatch.from_pydict({"counted": [serialise_counts(found or [])]})


def sampled(folder: Path, reference: Reference) -> tuple[pd.DataFrame, pd.DataFrame]:
    """About so many rows of each side as a page takes."""
    sides = []
    for name in (REFERENCE, DAY):
        with pq.ParquetFile(folder / name) as file:
            step = max(1, file.metadata.num_rows // REPORT_ROWS)
            batches = file.iter_batches(1 << 16, columns=list(reference.columns[:-1]))
            sides.append(pd.concat([batch.to_pandas().iloc[::step] for batch in batches], ignore_index=True))
    return sides[0], sides[1]


def counting(folder: Path) -> dict[str, bool]:
    """PSI and KS of every row: what drifted."""
    reference = reference_in(folder)
    columns = reference.columns[:-1]
    takes = pa.schema([(name, pa.float32()) for name in columns])
    gives = pa.schema({"counted": pa.binary()})
    all_bins = reference.bins[: len(columns)]
    with open_engine(FeatureSettings()) as engine:
        rows = engine.read([str(folder / DAY)], takes)
        work: Any = partial(Counting.__call__, Counting(reference))
        [content] = (
            engine.batches(engine.map_batches(rows, takes, work, gives), gives).read_all()["counted"].to_pylist()
        )
    counted, found = deserialise_counts(all_bins, content), {}
    for number, one in enumerate(counted):
        measured_of = column_measurements(reference, number, one, int(one.cells.sum()))
        psi = next(row.value for row in measured_of if row.measure == "psi")
        found[columns[number]] = bool(psi >= max(LIMIT, 2 * (largest_reference_deviation(reference, number) or 0)))
    return found


def ours(folder: Path) -> dict[str, bool]:
    """Every row counted, and a page of a sample."""
    found = counting(folder)
    page_of_sample(folder)
    return found


def page_of_sample(folder: Path) -> dict[str, bool]:
    """A page of a sample, and its verdicts: a column that the page leaves out has not drifted on it."""
    reference = reference_in(folder)
    columns, sides = reference.columns[:-1], sampled(folder, reference)
    limits = columns_to_show(*sides, dict.fromkeys(columns, LIMIT), DriftSettings().report_columns)
    return dict.fromkeys(columns, False) | verdicts(evidently_page(*sides, limits))


def evidently_on_everything(folder: Path) -> dict[str, bool]:
    """A page of all rows, and its verdicts."""
    sides = [pq.ParquetFile(folder / name).read().to_pandas() for name in (REFERENCE, DAY)]
    return verdicts(evidently_page(*sides, dict.fromkeys(sides[0].columns, LIMIT)))


def verdicts(made: tuple[str, list[dict[str, Any]]]) -> dict[str, bool]:
    """By column, whether Evidently says that it drifted."""
    return {one["column"]: one["drifted"] for one in made[1]}


WORK: dict[str, Callable[[Path], dict[str, bool]]] = {
    work.__name__: work for work in (counting, ours, page_of_sample, evidently_on_everything)
}


def measured(name: str, folder: Path) -> tuple[float, float, dict[str, bool]]:
    """Seconds, peak megabytes and verdicts of this work, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--measure", name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak, found = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak, found


def measure(name: str, folder: Path) -> None:
    """Do this work here and print what it took."""
    import evidently.presets  # noqa: F401, PLC0415  (importing it takes as long for everybody)

    started = perf_counter()
    found = WORK[name](folder)
    print(json.dumps([perf_counter() - started, peak_mb(), found]))


def main() -> None:
    """Make the rows, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=60)
    asked, console = parse_seeded(parser), Console()
    table = Table("the day's check", "seconds", "peak MB", "times ours", "columns called drifted")
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as name:
        folder = Path(name)
        (folder / DAY).parent.mkdir()
        make(folder / REFERENCE, min(REFERENCE_ROWS, asked.rows), asked.columns, moved=False)
        make(folder / DAY, asked.rows, asked.columns, moved=True)
        found = {work: measured(work, folder) for work in WORK}
    for work, (seconds, peak, told) in found.items():
        ratio = f"{seconds / found['ours'][0]:.1f}"
        table.add_row(work, f"{seconds:.1f}", f"{peak:.0f}", ratio, str(sum(told.values())))
    table.title = f"{asked.rows:,} rows, {asked.columns} columns"
    console.print(table)
    everything = found["evidently_on_everything"][2]
    for work in ("counting", "page_of_sample"):
        same = sum(found[work][2][column] == drifted for column, drifted in everything.items())
        console.print(f"{work} and Evidently on everything agree on {same} of {len(everything)} columns")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
