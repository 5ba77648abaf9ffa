"""Scores the lists in a Parquet file; a row that cannot be scored says why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rankloop.context import Context
from rankloop.contracts.lake import DAY
from rankloop.contracts.marketplace import TIMESTAMP
from rankloop.errors import RankloopError
from rankloop.scoring.inputs import newest_feature_day
from rankloop.scoring.lists import SURFACE, list_time
from rankloop.scoring.ranker import choose_ranker
from rankloop.scoring.scorer import build_scorer, score_lists

SURFACES = ("home", "category", "search")
REQUIRED = {"request_id": pa.string(), "account_id": pa.int64(), "product_id": pa.int64(), "base_score": pa.float64()}
LIST_FIELDS = pa.schema([*REQUIRED.items(), ("ts", TIMESTAMP), ("surface", pa.string())])
ADDED = ("score", "rank", "policy", "fault")
ROW = "row"
ROW_NUMBER = pa.schema({ROW: pa.int64()})


class ListsFileError(RankloopError):
    """A file of lists cannot be read or written."""


@dataclass(frozen=True)
class FileScoringResult:
    """How a file was scored."""

    rows: int
    faults: dict[str, int]
    """The number of rows with each fault."""
    policy: str
    day: date
    """The as-of day of the features."""
    notes: tuple[str, ...]


def score_file(
    context: Context,
    source: Path,
    target: Path,
    day: date | None = None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> FileScoringResult:
    """Write the rows of a file with `score`, `rank` within the list, `policy`, and `fault` where there is one.

    `on_rows` gets the number of rows that were scored since it was last called.
    """
    table = _read(source)
    if not (day := day or newest_feature_day(context.lake)):
        raise ListsFileError("there are no features yet, so nothing can be scored. Run daily_features first.")
    ranker, fault = choose_ranker(context.state, context.registry), _faults(table)
    score = np.full(table.num_rows, np.nan)
    valid = pc.is_null(fault)
    at = list_time(day, context.settings.zone, context.settings.scoring.hour)
    lists = _as_lists(table, at).append_column(ROW, pa.array(np.arange(table.num_rows))).filter(valid)
    scorer = build_scorer(ranker.model, ranker.digest) if ranker.model else None
    with TemporaryDirectory() as folder:
        # Laid out as a table of the lake, which is what engines read.
        file = Path(folder) / f"{DAY}={day}" / "lists.parquet"
        file.parent.mkdir()
        pq.write_table(lists, file)
        rows = context.engine.read([str(file)], lists.schema)
        for block in score_lists(context.engine, context.feature_store, rows, day, scorer=scorer, own=ROW_NUMBER):
            score[block[ROW].to_numpy()] = block["score"].to_numpy()
            on_rows(block.num_rows)
    policy = pc.if_else(valid, ranker.policy, pa.scalar(None, pa.string()))
    added = (pa.array(score, from_pandas=True), _ranks(table, score), policy, fault)
    for name, values in zip(ADDED, added, strict=True):
        table = table.append_column(name, values)
    _write(table, target)
    counts = pc.value_counts(fault.drop_null())
    faults = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    return FileScoringResult(table.num_rows, faults, ranker.policy, day, ranker.notes)


def _read(source: Path) -> pa.Table:
    try:
        table = pq.read_table(source)
    except (OSError, pa.ArrowInvalid) as error:
        raise ListsFileError(f"{source} cannot be read as Parquet: {error}") from None
    if missing := [name for name in REQUIRED if name not in table.column_names]:
        raise ListsFileError(
            f"{source} lacks the columns {', '.join(missing)}. Lists need {', '.join(REQUIRED)}; `ts` and `surface` "
            "are optional, and other columns are copied."
        )
    if clash := [name for name in (*ADDED, ROW) if name in table.column_names]:
        raise ListsFileError(
            f"{source} already has columns that scoring adds: {', '.join(clash)}. Rename or drop them."
        )
    for field in LIST_FIELDS:
        if field.name in table.column_names:
            try:
                values = table[field.name].cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise ListsFileError(f"{source}: column {field.name} cannot be read as {field.type}: {error}") from None
            table = table.set_column(table.column_names.index(field.name), field, values)
    return table.combine_chunks()


def _faults(table: pa.Table) -> pa.Array:
    """Return, for each row, why it cannot be scored; null where it can."""
    faults = pa.nulls(table.num_rows, pa.string())
    pairs = table.select(["request_id", "product_id"]).append_column(ROW, pa.array(np.arange(table.num_rows)))
    first = pairs.group_by(["request_id", "product_id"]).aggregate([(ROW, "min")])[f"{ROW}_min"]
    repeated = np.ones(table.num_rows, dtype=bool)
    repeated[first.to_numpy()] = False
    checks = [(pa.array(repeated), "the product is in this list already")]
    if "surface" in table.column_names:
        unknown = pc.invert(pc.is_in(table["surface"], pa.array([*SURFACES, None])))
        checks.append((unknown, f"surface is none of {', '.join(SURFACES)}"))
    checks.append((pc.invert(pc.is_finite(table["base_score"])), "base_score is no finite number"))
    checks += [(pc.is_null(table[name]), f"{name} is empty") for name in reversed(REQUIRED)]
    for wrong, fault in checks:
        faults = pc.if_else(pc.fill_null(wrong, pa.scalar(False)), fault, faults)
    return faults.combine_chunks() if isinstance(faults, pa.ChunkedArray) else faults


def _as_lists(table: pa.Table, at: datetime) -> pa.Table:
    """Return the rows as lists to be joined; missing values are those of a batch's lists."""
    defaults = {"ts": pa.scalar(at.astimezone(UTC), TIMESTAMP), "surface": pa.scalar(SURFACE)}
    columns = {}
    for field in LIST_FIELDS:
        given = field.name in table.column_names
        values = table[field.name] if given else pa.nulls(table.num_rows, field.type)
        columns[field.name] = pc.fill_null(values, defaults[field.name]) if field.name in defaults else values
    return pa.table(columns, schema=LIST_FIELDS)


def _ranks(table: pa.Table, score: np.ndarray) -> pa.Array:
    """Return the rank of each scored row in its list, 1 the best; equal scores are ordered by product id."""
    keys = pa.table({"list": table["request_id"], "score": score, "product": table["product_id"]})
    order = pc.sort_indices(keys, [("list", "ascending"), ("score", "descending"), ("product", "ascending")]).to_numpy()
    lists = pc.fill_null(table["request_id"].dictionary_encode().combine_chunks().indices, -1).to_numpy()[order]
    starts = np.flatnonzero(np.concatenate([[True], lists[1:] != lists[:-1]])) if len(order) else np.array([], int)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)])) + 1
    return pa.array(rank, mask=np.isnan(score))


def _write(table: pa.Table, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, unfinished, compression="zstd")
        unfinished.replace(target)
    except OSError as error:
        raise ListsFileError(f"{target} cannot be written: {error.strerror}. Choose another with --output.") from None
