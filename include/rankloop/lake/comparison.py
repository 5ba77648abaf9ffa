"""What changed in a day from one version of a table to another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.lake.digest import Digest, Hashes, row_hashes
from rankloop.lake.tables import Lake, LakeError

EXAMPLES = 5


@dataclass(frozen=True)
class Side:
    """The day in one of the two versions."""

    version: int
    rows: int
    digest: str
    own_rows: int
    """Rows that the other version has not, or has less often."""
    examples: list[dict[str, Any]]
    """The first of them."""


@dataclass(frozen=True)
class Difference:
    """A day in two versions of a table."""

    table: str
    day: date
    before: Side
    after: Side
    columns: list[str]
    """The columns whose values differ; none if the day is the same."""

    @property
    def same(self) -> bool:
        """Whether both hold the same rows."""
        return self.before.digest == self.after.digest


def diff(
    lake: Lake,
    table: str,
    day: date,
    version_a: int | None = None,
    version_b: int | None = None,
) -> Difference:
    """Compare a day in version a, by default before it was last replaced, with version b, by default the newest."""
    newest = lake.version(table)
    to_version = newest if version_b is None else version_b
    from_version = _before(lake, table, day, to_version) if version_a is None else version_a
    digests, hashes = {}, {}
    for version in {from_version, to_version}:
        digests[version], hashes[version] = _summary(lake, table, day, version)
    before, after = (
        Side(
            version=mine,
            rows=digests[mine].rows,
            digest=str(digests[mine]),
            own_rows=sum((more := _more_often(hashes[mine], hashes[other])).values()),
            examples=_rows_of(lake.batches(table, day, mine), set(more)),
        )
        for mine, other in ((from_version, to_version), (to_version, from_version))
    )
    a, b = digests[from_version].columns, digests[to_version].columns
    changed = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    return Difference(table, day, before, after, changed)


def _before(lake: Lake, table: str, day: date, version: int) -> int:
    """The version before the commit that made the day what it is in this version."""
    commits = [entry.number for entry in lake.versions(table) if entry.day == day and entry.number <= version]
    if not commits:
        raise LakeError(f"{table} {day}: no version up to {version} holds this day. See `rankloop lake days {table}`.")
    return commits[0] - 1


def _summary(lake: Lake, table: str, day: date, version: int) -> tuple[Digest, Hashes]:
    digest, hashes = Digest(), [np.empty(0, np.uint64)]
    for batch in lake.batches(table, day, version):
        digest.add(batch)
        hashes.append(row_hashes(batch))
    return digest, np.concatenate(hashes)


def _more_often(mine: Hashes, others: Hashes) -> dict[int, int]:
    """By row hash, how many more such rows there are in the first than in the second; only those that are more."""
    kinds, count = np.unique(mine, return_counts=True)
    other_kinds, other_count = np.unique(others, return_counts=True)
    _, here, there = np.intersect1d(kinds, other_kinds, assume_unique=True, return_indices=True)
    count[here] -= other_count[there]
    return dict(zip(kinds[count > 0].tolist(), count[count > 0].tolist(), strict=True))


def _rows_of(batches: Iterable[pa.RecordBatch], hashes: set[int]) -> list[dict[str, Any]]:
    """The first rows that have one of these hashes."""
    wanted = np.array(sorted(hashes), dtype=np.uint64)
    found: list[dict[str, Any]] = []
    for batch in batches if hashes else ():
        rows = np.flatnonzero(np.isin(row_hashes(batch), wanted))[: EXAMPLES - len(found)]
        found += batch.take(pa.array(rows)).to_pylist()
        if len(found) == EXAMPLES:
            break
    return found
