"""Compares a day in two versions of a table."""

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
class PartitionVersion:
    """The day in one version of the table."""

    version: int
    rows: int
    digest: str
    own_rows: int
    """Rows that the other version lacks, or has fewer times."""
    examples: list[dict[str, Any]]
    """The first of those rows."""


@dataclass(frozen=True)
class PartitionDiff:
    """A day in two versions of a table."""

    table: str
    day: date
    before: PartitionVersion
    after: PartitionVersion
    columns: list[str]
    """The columns whose values differ."""

    @property
    def same(self) -> bool:
        """Whether both versions hold the same rows."""
        return self.before.digest == self.after.digest


def diff_partition(
    lake: Lake,
    table: str,
    day: date,
    version_a: int | None = None,
    version_b: int | None = None,
) -> PartitionDiff:
    """Compare a day in version a, by default before it was last replaced, with version b, by default the newest."""
    newest = lake.version(table)
    to_version = newest if version_b is None else version_b
    from_version = _before(lake, table, day, to_version) if version_a is None else version_a
    digests, hashes = {}, {}
    for version in {from_version, to_version}:
        digests[version], hashes[version] = _summary(lake, table, day, version)
    before, after = (
        PartitionVersion(
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
    return PartitionDiff(table, day, before, after, changed)


def _before(lake: Lake, table: str, day: date, version: int) -> int:
    """Return the version before the commit that last replaced the day, up to this version."""
    commits = [commit.number for commit in lake.versions(table) if commit.day == day and commit.number <= version]
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
    """Return, by row hash, how many more such rows the first has than the second, where it has more."""
    hashes, count = np.unique(mine, return_counts=True)
    other_hashes, other_count = np.unique(others, return_counts=True)
    _, at, other_at = np.intersect1d(hashes, other_hashes, assume_unique=True, return_indices=True)
    count[at] -= other_count[other_at]
    return dict(zip(hashes[count > 0].tolist(), count[count > 0].tolist(), strict=True))


def _rows_of(batches: Iterable[pa.RecordBatch], hashes: set[int]) -> list[dict[str, Any]]:
    """Return the first rows that have one of these hashes."""
    wanted = np.array(sorted(hashes), dtype=np.uint64)
    examples: list[dict[str, Any]] = []
    for batch in batches if hashes else ():
        rows = np.flatnonzero(np.isin(row_hashes(batch), wanted))[: EXAMPLES - len(examples)]
        examples += batch.take(pa.array(rows)).to_pylist()
        if len(examples) == EXAMPLES:
            break
    return examples
