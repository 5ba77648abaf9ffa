"""What is done to features before a ranker sees them: drop the too sparse, clip to quantiles, fill what is empty.

It is learned on the training days alone, a column at a time, and written as JSON with the model. Quantiles are order
statistics of all values that are there (the smallest value with at least that share at or below it), so they are
exact, are values that occurred, and do not depend on the order of rows or on how they were cut into batches. Memory is
one column of the training days: 4 bytes a row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.errors import RankloopError
from rankloop.settings.training import Fill, PreprocessingSettings

Column = npt.NDArray[np.float32]
FILE = "preprocessing.json"
FORMAT = 1


class PreprocessingError(RankloopError):
    """Options that do not exist, or rows that a model cannot take."""


@dataclass(frozen=True)
class Learned:
    """One feature that stays: its bounds, and what stands for an empty value."""

    name: str
    lower: float
    upper: float
    fill: float


@dataclass(frozen=True)
class Preprocessing:
    """What was learned; the same row gives the same numbers whatever stands beside it."""

    columns: tuple[Learned, ...]
    dropped: dict[str, float]
    """By name, the features that were too sparse, with the share of their values that is empty."""
    options: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """The features that stay, in order."""
        return tuple(column.name for column in self.columns)

    def only(self, features: Iterable[str]) -> "Preprocessing":
        """Return the same preprocessing for some of the features, in their former order."""
        wanted = set(features)
        return Preprocessing(tuple(c for c in self.columns if c.name in wanted), self.dropped, self.options)

    def apply(self, rows: pa.RecordBatch | pa.Table) -> npt.NDArray[np.float32]:
        """Return the prepared features as a matrix, one column for each; other columns of the rows are ignored."""
        if missing := [name for name in self.features if name not in rows.schema.names]:
            raise PreprocessingError(
                f"rows lack {len(missing)} of the model's {len(self.columns)} features: {', '.join(missing)}. "
                "Join the lists with the features that the model was trained with."
            )
        made = np.empty((rows.num_rows, len(self.columns)), dtype=np.float32)
        for number, column in enumerate(self.columns):
            values = rows[column.name].to_numpy(zero_copy_only=False) if rows.num_rows else []
            made[:, number] = prepared(np.asarray(values, dtype=np.float32), column)
        return made

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        (folder / FILE).write_text(json.dumps(self.as_json(), indent=1), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it; numbers come back to the last bit."""
        return {
            "format": FORMAT,
            "options": self.options,
            "features": [vars(column) for column in self.columns],
            "dropped": self.dropped,
        }


def load_preprocessing(folder: Path) -> Preprocessing:
    """Load the preprocessing that `Preprocessing.save` wrote into this folder."""
    read = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if read.get("format") != FORMAT:
        raise PreprocessingError(
            f"{folder / FILE} has format {read.get('format')}; this version reads {FORMAT}. Train again."
        )
    return Preprocessing(tuple(Learned(**entry) for entry in read["features"]), read["dropped"], read["options"])


def learn(options: PreprocessingSettings, columns: Iterable[tuple[str, Column]]) -> Preprocessing:
    """Learn from the training days' columns, each with its name, empty values as NaN."""
    kept: list[Learned] = []
    dropped: dict[str, float] = {}
    for name, column in columns:
        values = np.asarray(column, dtype=np.float32)
        there = np.sort(values[~np.isnan(values)])
        empty = 1 - len(there) / len(values) if len(values) else 1.0
        # A feature without a single value has no quantiles, whatever the threshold.
        if empty > options.sparse_threshold or not len(there):
            dropped[name] = empty
            continue
        lower, upper = _quantile(there, options.clip_lower), _quantile(there, options.clip_upper)
        kept.append(Learned(name, lower, upper, filling(options.fill, np.clip(there, lower, upper))))
    return Preprocessing(tuple(kept), dropped, options.model_dump(mode="json"))


def filling(fill: Fill | str, values: Sequence[float] | Column) -> float:
    """Return the value to fill gaps with; `values` are the column's own, sorted and clipped."""
    match fill:
        case "median":
            return _quantile(np.asarray(values), 0.5)
        case "min":
            return float(values[0])
        case "max":
            return float(values[-1])
        case "zero":
            return 0.0
    raise PreprocessingError(f"empty values cannot be filled by '{fill}'; there are {', '.join(get_args(Fill))}.")


def prepared(values: Column, learned: Learned) -> Column:
    """Return a column clipped to its learned bounds, with its gaps filled."""
    clipped = np.clip(values, np.float32(learned.lower), np.float32(learned.upper))
    return np.where(np.isnan(clipped), np.float32(learned.fill), clipped)


def _quantile(ordered: npt.NDArray[np.floating[Any]], share: float) -> float:
    place = max(int(np.ceil(share * len(ordered))) - 1, 0)
    return float(ordered[place])
