"""The digest of a day's rows, as sixteen hex digits.

Two partitions have the same digest if they hold the same rows, whatever their order, files, row groups, compression or
Delta version; any change of a value, a null, a column's name or the number of times a row occurs gives another one.

Every value is hashed together with its column's name, a row is the mixed sum of its values, a partition the sum of its
rows: sums need no order, and so no sorting and no more memory than one batch. The arithmetic is written out here, on
64-bit integers in NumPy, because the hash functions of engines may change between their releases while digests are
kept for years; no outside hash is both vectorised and promised to stay. Tests pin known digests.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]

BATCH_ROWS = 1 << 16
"""Rows hashed at a time; the working arrays of one column then fit a processor's cache."""
_MIX = tuple(np.uint64(number) for number in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15))
_SHIFTS = tuple(np.uint64(number) for number in (30, 27, 31))
_STRINGS_AT_A_TIME = 1 << 13


class Digest:
    """Adds up the hashes of batches of rows, and of each column by itself."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns: dict[str, int] = {}
        """By column, the sum of its values' hashes: says in which columns two partitions differ."""
        self._total = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add these rows."""
        for start in range(0, batch.num_rows, BATCH_ROWS):
            piece = batch.slice(start, BATCH_ROWS)
            self.rows += piece.num_rows
            self._total += int(_add_up(self._rows(piece)))

    def _rows(self, batch: pa.RecordBatch) -> Hashes:
        rows = np.zeros(batch.num_rows, dtype=np.uint64)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            hashes = column_hashes(name, column)
            self.columns[name] = (self.columns.get(name, 0) + int(_add_up(hashes))) % 2**64
            rows += hashes
        return _mixed(rows)

    def __str__(self) -> str:
        return f"{self._total % 2**64:016x}"


def rows_digest(batches: Iterable[pa.RecordBatch]) -> Digest:
    """Return the digest of all these rows."""
    digest = Digest()
    for batch in batches:
        digest.add(batch)
    return digest


def row_hashes(batch: pa.RecordBatch) -> Hashes:
    """Return one number a row, equal for equal rows."""
    rows = np.zeros(batch.num_rows, dtype=np.uint64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        rows += column_hashes(name, column)
    return _mixed(rows)


def column_hashes(name: str, column: pa.Array) -> Hashes:
    """Return one number a value, equal for equal values of columns of one name; null is a value of its own."""
    seed = np.uint64(int.from_bytes(sha256(name.encode()).digest()[:8], "big"))
    return _mixed(_value_hashes(column) ^ seed)


def _value_hashes(column: pa.Array) -> Hashes:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _taken(_value_hashes(column.dictionary), column.indices)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        # A day's strings repeat, so each is hashed once.
        encoded = column.dictionary_encode()
        return _taken(_string_hashes(encoded.dictionary), encoded.indices)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _without_nulls(_list_hashes(column), column)
    if pa.types.is_struct(kind):
        fields = [column_hashes(kind.field(number).name, field) for number, field in enumerate(column.flatten())]
        return _without_nulls(np.sum(fields, axis=0, dtype=np.uint64), column)
    return _without_nulls(_mixed(_bits(column)), column)


def _bits(column: pa.Array) -> Hashes:
    """Return numbers, flags and timestamps as 64 bits that do not depend on the width that they are stored in."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32()).cast(pa.int64())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8()).cast(pa.int64())
    elif pa.types.is_floating(kind):
        numbers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.float64)
        # All bit patterns of NaN are one value.
        return np.where(np.isnan(numbers), np.float64("nan"), numbers).view(np.uint64)
    elif pa.types.is_integer(kind):
        column = column if pa.types.is_uint64(kind) else column.cast(pa.int64())
    else:
        raise TypeError(f"a lake's table has no columns of type {kind}")
    return np.asarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False)).view(np.uint64)


def _string_hashes(strings: pa.Array) -> Hashes:
    wide = strings.cast(pa.large_binary())
    pieces = range(0, len(wide), _STRINGS_AT_A_TIME)
    return np.concatenate(
        [np.empty(0, np.uint64), *(_few_strings(wide.slice(at, _STRINGS_AT_A_TIME)) for at in pieces)]
    )


def _few_strings(strings: pa.Array) -> Hashes:
    """Hash each byte with its place in the string, and add up a string's bytes and its length."""
    _, offset_buffer, data = strings.buffers()
    ends = np.frombuffer(offset_buffer, dtype=np.int64)[strings.offset : strings.offset + len(strings) + 1]
    size = ends[-1] - ends[0]
    letters = np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]] if size else np.empty(0, np.uint8)
    return _summed_by_place(letters.astype(np.uint64), ends - ends[0])


def _list_hashes(lists: pa.Array) -> Hashes:
    ends = np.asarray(lists.offsets.to_numpy(zero_copy_only=False)).astype(np.int64)
    values = lists.values.slice(ends[0], ends[-1] - ends[0])
    return _summed_by_place(_value_hashes(values), ends - ends[0])


def _summed_by_place(values: Hashes, ends: npt.NDArray[np.int64]) -> Hashes:
    lengths = np.diff(ends)
    place = np.arange(len(values), dtype=np.int64) - np.repeat(ends[:-1], lengths)
    hashes = _mixed(values ^ _mixed(place.astype(np.uint64)))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes, dtype=np.uint64)])
    return _mixed(sums[ends[1:]] - sums[ends[:-1]] + _mixed(lengths.astype(np.uint64)))


def _taken(hashes: Hashes, places: pa.Array) -> Hashes:
    """Return the hashes at these places, and that of null where there is no place."""
    with_null = np.append(hashes, _MIX[1])
    return np.asarray(with_null[pc.fill_null(places.cast(pa.int64()), len(hashes)).to_numpy(zero_copy_only=False)])


def _without_nulls(hashes: Hashes, column: pa.Array) -> Hashes:
    if column.null_count == 0:
        return hashes
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), hashes, _MIX[1])


def _mixed(numbers: Hashes) -> Hashes:
    """Apply the finaliser of SplitMix64: every bit of the input reaches every bit of the output."""
    mixed = numbers + _MIX[2]
    for shift, factor in zip(_SHIFTS[:2], _MIX[:2], strict=True):
        mixed ^= mixed >> shift
        mixed *= factor
    mixed ^= mixed >> _SHIFTS[2]
    return mixed


def _add_up(hashes: Hashes) -> Any:  # noqa: ANN401  (NumPy's own integer)
    return np.add.reduce(hashes, dtype=np.uint64)
