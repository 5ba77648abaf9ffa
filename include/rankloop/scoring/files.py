"""Scores the lists in a Parquet file, for whoever has lists of their own; a row that cannot be scored says why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rankloop.calendar import start_of
from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import TIMESTAMP
from rankloop.engine.opening import open_engine
from rankloop.errors import RankloopError
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.scoring.batch import SURFACE
from rankloop.scoring.publish import newest_day
from rankloop.scoring.ranker import choose_ranker
from rankloop.scoring.shelf import scored, scorer_of
from rankloop.settings import Settings

SURFACES = ("home", "category", "search")
NEEDED = {"request_id": pa.string(), "account_id": pa.int64(), "product_id": pa.int64(), "base_score": pa.float64()}
GIVEN = pa.schema([*NEEDED.items(), ("ts", TIMESTAMP), ("surface", pa.string())])
ADDED = ("score", "rank", "policy", "fault")
ROW = "row"
OWN = pa.schema({ROW: pa.int64()})


class ListsError(RankloopError):
    """A file whose lists cannot be read."""


@dataclass(frozen=True)
class Outcome:
    """What came of a file."""

    rows: int
    faults: dict[str, int]
    """By fault, how many rows have it."""
    policy: str
    day: date
    """The features are as of the end of this day."""
    notes: tuple[str, ...]


def score_file(
    settings: Settings,
    source: Path,
    target: Path,
    day: date | None = None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Write the rows of a file with `score`, `rank` within the list, `policy`, and `fault` where there is one.

    `on_rows` is told how many rows more are scored.
    """
    table = _read(source)
    if not (day := day or newest_day(settings)):
        raise ListsError("there are no features yet, so nothing can be scored. Run daily_features first.")
    ranker, fault = choose_ranker(settings), _faults(table)
    score = np.full(table.num_rows, np.nan)
    good = pc.is_null(fault)
    lists = _as_lists(settings, table, day).append_column(ROW, pa.array(np.arange(table.num_rows))).filter(good)
    scorer = scorer_of(ranker.model, ranker.digest) if ranker.model else None
    store = FeatureStore(Lake(settings.lake_root), settings.features, settings.zone)
    with open_engine(settings.features) as engine, TemporaryDirectory() as folder:
        # Laid out as a table of the lake, which is what engines read.
        file = Path(folder) / f"{DAY}={day}" / "lists.parquet"
        file.parent.mkdir()
        pq.write_table(lists, file)
        rows = engine.read([str(file)], lists.schema)
        for told in scored(engine, store, rows, day, scorer=scorer, own=OWN):
            score[told[ROW].to_numpy()] = told["score"].to_numpy()
            on_rows(told.num_rows)
    policy = pc.if_else(good, ranker.policy, pa.scalar(None, pa.string()))
    added = (pa.array(score, from_pandas=True), _ranks(table, score), policy, fault)
    for name, values in zip(ADDED, added, strict=True):
        table = table.append_column(name, values)
    _write(table, target)
    counted = pc.value_counts(fault.drop_null())
    faults = {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
    return Outcome(table.num_rows, faults, ranker.policy, day, ranker.notes)


def _read(source: Path) -> pa.Table:
    try:
        table = pq.read_table(source)
    except (OSError, pa.ArrowInvalid) as error:
        raise ListsError(f"{source} cannot be read as Parquet: {error}") from None
    if missing := [name for name in NEEDED if name not in table.column_names]:
        raise ListsError(
            f"{source} lacks the columns {', '.join(missing)}. Lists need {', '.join(NEEDED)}; `ts` and `surface` may "
            "stand beside them, and whatever else there is passes through."
        )
    if clash := [name for name in (*ADDED, ROW) if name in table.column_names]:
        raise ListsError(f"{source} already has columns that scoring adds: {', '.join(clash)}. Rename or drop them.")
    for field in GIVEN:
        if field.name in table.column_names:
            try:
                values = table[field.name].cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise ListsError(f"{source}: column {field.name} cannot be read as {field.type}: {error}") from None
            table = table.set_column(table.column_names.index(field.name), field, values)
    return table.combine_chunks()


def _faults(table: pa.Table) -> pa.Array:
    """By row, what keeps it from being scored; empty where nothing does."""
    said = pa.nulls(table.num_rows, pa.string())
    pairs = table.select(["request_id", "product_id"]).append_column(ROW, pa.array(np.arange(table.num_rows)))
    first = pairs.group_by(["request_id", "product_id"]).aggregate([(ROW, "min")])[f"{ROW}_min"]
    repeated = np.ones(table.num_rows, dtype=bool)
    repeated[first.to_numpy()] = False
    checks = [(pa.array(repeated), "the product stands in this list already")]
    if "surface" in table.column_names:
        unknown = pc.invert(pc.is_in(table["surface"], pa.array([*SURFACES, None])))
        checks.append((unknown, f"surface is none of {', '.join(SURFACES)}"))
    checks.append((pc.invert(pc.is_finite(table["base_score"])), "base_score is no finite number"))
    checks += [(pc.is_null(table[name]), f"{name} is empty") for name in reversed(NEEDED)]
    for wrong, fault in checks:
        said = pc.if_else(pc.fill_null(wrong, pa.scalar(False)), fault, said)
    return said.combine_chunks() if isinstance(said, pa.ChunkedArray) else said


def _as_lists(settings: Settings, table: pa.Table, day: date) -> pa.Table:
    """The rows as lists to be joined; what a list does not say of itself is as for the daily rankings."""
    at = start_of(day + timedelta(days=1), settings.zone) + timedelta(hours=settings.scoring.hour)
    usual = {"ts": pa.scalar(at.astimezone(UTC), TIMESTAMP), "surface": pa.scalar(SURFACE)}
    columns = {}
    for field in GIVEN:
        there = field.name in table.column_names
        values = table[field.name] if there else pa.nulls(table.num_rows, field.type)
        columns[field.name] = pc.fill_null(values, usual[field.name]) if field.name in usual else values
    return pa.table(columns, schema=GIVEN)


def _ranks(table: pa.Table, score: np.ndarray) -> pa.Array:
    """The place of each scored row in its list, 1 the best; equal scores in the order of product ids."""
    keys = pa.table({"list": table["request_id"], "score": score, "product": table["product_id"]})
    order = pc.sort_indices(keys, [("list", "ascending"), ("score", "descending"), ("product", "ascending")]).to_numpy()
    lists = pc.fill_null(table["request_id"].dictionary_encode().combine_chunks().indices, -1).to_numpy()[order]
    begins = np.flatnonzero(np.concatenate([[True], lists[1:] != lists[:-1]])) if len(order) else np.array([], int)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(begins, np.diff([*begins, len(order)])) + 1
    return pa.array(place, mask=np.isnan(score))


def _write(table: pa.Table, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, unfinished, compression="zstd")
        unfinished.replace(target)
    except OSError as error:
        raise ListsError(f"{target} cannot be written: {error.strerror}. Name another by --output.") from None
