"""The lists that a run learns from and is judged on: days, sets, table versions, and what they amount to."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.features.catalogue import BUILT_IN
from rankloop.lake.tables import Lake, LakeError
from rankloop.ranking.lists import COUNTED, COUNTS, LISTS
from rankloop.ranking.windows import DaysMissingError, Windows

REQUEST = "request_id"
COLUMN_BYTES = 1 << 28
"""What columns that are looked at whole may take together."""


@dataclass(frozen=True)
class TrainingSet:
    """Days and sets of `training/lists` as they stood in one version of it; see `open_training_set`."""

    lake: Lake
    windows: Windows
    versions: Mapping[str, int]
    """By table, the version that is read."""
    digests: Mapping[date, str]
    """By day, what its lists amount to."""
    features: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What all of it amounts to: the same days in the same sets, with the same rows, have the same digest."""
        lines = [f"{name} {day} {self.digests[day]}" for name, days in self.windows.sets.items() for day in days]
        return hashlib.sha256("\n".join([*lines, *self.features]).encode()).hexdigest()[:16]

    def counts(self, name: str) -> dict[str, int]:
        """Return how many lists and products a set showed, and the reactions to them; idle lists included."""
        days = self.lake.read(COUNTS, self.windows.sets[name], COUNTED, self.versions[COUNTS])
        return {column: int(np.sum(days[column].to_numpy())) for column in COUNTED}

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[tuple[date, pa.RecordBatch]]:
        """Yield the rows of a set with their day, in batches that hold whole lists."""
        wanted = None if columns is None else [*columns, *({REQUEST} - set(columns))]
        for day in self.windows.sets[name]:
            for batch in whole_lists(self.lake.batches(LISTS, day, self.versions[LISTS], wanted)):
                yield day, batch if columns is None else batch.select(list(columns))

    def columns(self, name: str, columns: Sequence[str]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Each of these columns of a set, whole, empty values as NaN; so many are read at once as memory allows."""
        at_once = max(1, COLUMN_BYTES // max(self.rows(name) * 4, 1))
        for start in range(0, len(columns), at_once):
            wanted = list(columns[start : start + at_once])
            parts = [
                pa.Table.from_batches([batch])
                for day in self.windows.sets[name]
                for batch in self.lake.batches(LISTS, day, self.versions[LISTS], wanted)
            ]
            table = pa.concat_tables(parts) if parts else None
            for column in wanted:
                yield column, np.empty(0, np.float32) if table is None else table[column].to_numpy()

    def rows(self, name: str) -> int:
        """How many rows there are of a set: the products of the lists that were kept."""
        return sum(self._rows.get(day, 0) for day in self.windows.sets[name])

    @cached_property
    def _rows(self) -> dict[date, int]:
        return self.lake.rows(LISTS, self.versions[LISTS])

    def summary(self) -> dict[str, Any]:
        """Return what a run must record to be reproducible, in types that JSON has."""
        return {
            "as_of": self.windows.as_of.isoformat(),
            "digest": self.digest,
            "versions": dict(self.versions),
            "features": list(self.features),
            "sets": {name: [day.isoformat() for day in days] for name, days in self.windows.sets.items()},
            "days": {day.isoformat(): digest for day, digest in self.digests.items()},
            "counts": {name: self.counts(name) for name in self.windows.sets},
        }


def open_training_set(
    lake: Lake,
    windows: Windows,
    versions: Mapping[str, int] | None = None,
    digest: str | None = None,
    features: Sequence[str] | None = None,
) -> TrainingSet:
    """Return the training set of these windows, in the newest table versions or in those that a run recorded.

    Raises an error if its digest is not the `digest` that a run recorded.
    """
    pinned = {table: (versions or {}).get(table, -1) for table in (LISTS, COUNTS)}
    # A day without lists has no rows, but it has its counts.
    _require(lake, windows, None if pinned[COUNTS] < 0 else pinned[COUNTS])
    pinned = {table: lake.version(table) if version < 0 else version for table, version in pinned.items()}
    digests = _digests(lake, windows, pinned[LISTS])
    data = TrainingSet(lake, windows, pinned, digests, tuple(BUILT_IN.feature_names if features is None else features))
    if digest is not None and data.digest != digest:
        raise LakeError(
            f"the training set as of {windows.as_of} has digest {data.digest}, the run noted {digest}: its days, "
            f"its features or its versions ({pinned}) are others. Check out the run's commit and settings."
        )
    return data


def whole_lists(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows, cut so that no list lies in two batches; lists must lie together."""
    rest: pa.RecordBatch | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        joined = batch if rest is None else pa.concat_batches([rest, batch])
        start = _last_list(joined)
        if start:
            yield joined.slice(0, start)
        rest = joined.slice(start)
    if rest is not None:
        yield rest


def sizes_of(requests: pa.Array) -> npt.NDArray[np.int64]:
    """How long each list is, for rows that lie list after list."""
    if len(requests) == 0:
        return np.empty(0, np.int64)
    codes = requests.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return np.diff(np.append(starts, len(codes)))


def _last_list(batch: pa.RecordBatch) -> int:
    return int(batch.num_rows - sizes_of(batch[REQUEST])[-1])


def _digests(lake: Lake, windows: Windows, version: int) -> dict[date, str]:
    noted: dict[date, str] = {}
    for entry in lake.versions(LISTS):
        if entry.number <= version and entry.day is not None and entry.digest is not None:
            noted.setdefault(entry.day, entry.digest)
    return {day: noted.get(day) or lake.digest(LISTS, day, version) for day in windows.days}


def _require(lake: Lake, windows: Windows, version: int | None) -> None:
    there = set(lake.days(COUNTS, version))
    if missing := [day for day in windows.days if day not in there]:
        raise DaysMissingError(
            f"the training set as of {windows.as_of}: {COUNTS} lacks {', '.join(map(str, missing))}. "
            "Prepare those days first (clear the task that builds the training set)."
        )
