"""Unpacks the products of lists out of BSON, many lists at a time.

A list's items are documents of one layout: the same fields in the same order, all of fixed width. So the layout of one
item says where every number of every item stands, and NumPy gathers them all. Every byte that is not a number is
compared with the layout's, so an item that is different in any way is found; its document is left to `conform`.
PyMongoArrow spends microseconds on each nested value, which for lists is a hundred times as long.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rankloop.contracts.sources import ITEM_FIELDS, ITEMS, FieldContract

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

DOUBLE, STRING, DOCUMENT, ARRAY, OBJECT_ID, BOOL, DATE, NULL = 0x01, 0x02, 0x03, 0x04, 0x07, 0x08, 0x09, 0x0A
INT32, INT64 = 0x10, 0x12
WIDTH = {DOUBLE: 8, INT32: 4, INT64: 8}
SIZED = {STRING, DOCUMENT, ARRAY}
"""They begin with their length; a string's leaves out the length itself."""
TOP_WIDTH = {**WIDTH, OBJECT_ID: 12, BOOL: 1, DATE: 8, NULL: 0, STRING: 4, DOCUMENT: 0, ARRAY: 0}
NUMPY = {DOUBLE: "<f8", INT32: "<i4", INT64: "<i8"}
LAYOUTS = 8
"""Layouts tried on one batch; what fits none of them goes the slow way."""
LONGEST = 100_000
"""Items in a list."""
_KEY_WIDTH = 8
"""The type, at most six digits and the zero before each item."""
_NAME = ITEMS.encode()
_length = struct.Struct("<i").unpack_from


@dataclass(frozen=True)
class ItemLayout:
    """Where the numbers of an item are, and what all its other bytes must be."""

    template: Bytes
    fixed: npt.NDArray[np.bool_]
    places: dict[str, tuple[int, int]]
    """By field: where its number starts, and the number's type."""


@dataclass(frozen=True)
class UnpackedLists:
    """Lists that one layout fits: their documents' numbers in the batch, and their items as an Arrow list array."""

    documents: Ints
    items: pa.Array


def unpack_lists(batch: bytes, starts: Sequence[int], ends: Sequence[int]) -> Iterator[UnpackedLists]:
    """Yield the lists that could be unpacked; documents that are not among them must be decoded one by one."""
    places = np.array([_array_of(batch, start, end) for start, end in zip(starts, ends, strict=True)], dtype=np.int64)
    letters = np.frombuffer(batch, dtype=np.uint8)
    waiting = np.flatnonzero(places >= 0)
    for _ in range(LAYOUTS):
        if not len(waiting):
            return
        layout = _layout(batch, int(places[waiting[0]]))
        if layout is None:
            waiting = waiting[1:]
            continue
        fits, items = _gather(letters, places[waiting], layout)
        if items is not None:
            yield UnpackedLists(waiting[fits], items)
        fits[0] = True  # tried, whatever came of it
        waiting = waiting[~fits]


def _array_of(batch: bytes, start: int, end: int) -> int:
    """Where the array of items starts in the batch; found field by field, as its name may stand in some text too."""
    place = start + 4
    while place < end - 1:
        kind, name_end = batch[place], batch.index(b"\x00", place + 1)
        value = name_end + 1
        if kind == ARRAY and batch[place + 1 : name_end] == _NAME:
            return value
        if kind not in TOP_WIDTH:
            return -1
        place = value + TOP_WIDTH[kind] + (_length(batch, value)[0] if kind in SIZED else 0)
    return -1


def _layout(batch: bytes, place: int) -> ItemLayout | None:
    """Return the layout of the first item of the array at `place`, or None if such items cannot be unpacked."""
    if _length(batch, place)[0] < 12 or batch[place + 4 : place + 7] != b"\x030\x00":  # noqa: PLR2004  (the shortest)
        return None
    start = place + 7
    size = _length(batch, start)[0]
    spans, at = {}, 4
    while at < size - 1:
        kind = batch[start + at]
        name, _, _ = batch[start + at + 1 : start + size].partition(b"\x00")
        at += 2 + len(name)
        if kind not in WIDTH:
            return None
        spans[name.decode(errors="replace")] = (at, kind)
        at += WIDTH[kind]
    if not all(field.name in spans and spans[field.name][1] in _kinds(field) for field in ITEM_FIELDS):
        return None
    fixed = np.ones(size, dtype=np.bool_)
    for at, kind in spans.values():
        fixed[at : at + WIDTH[kind]] = False
    template = np.frombuffer(batch, dtype=np.uint8, count=size, offset=start)
    return ItemLayout(template, fixed, {field.name: spans[field.name] for field in ITEM_FIELDS})


def _kinds(field: FieldContract) -> tuple[int, ...]:
    return (INT64, INT32) if pa.types.is_integer(field.type) else (DOUBLE, INT64, INT32)


def _gather(letters: Bytes, places: Ints, layout: ItemLayout) -> tuple[npt.NDArray[np.bool_], Any]:
    """Which of the arrays here fit the layout, and the items of those."""
    size = len(layout.template)
    lengths = _numbers(letters, places, 4, "<i4").astype(np.int64)
    ends = _ends_of_items(size)
    count = np.searchsorted(ends, lengths)
    fits = (count < len(ends)) & (ends[np.minimum(count, len(ends) - 1)] == lengths) & (count > 0)
    count = np.where(fits, count, 0)
    list_of = np.repeat(np.arange(len(places)), count)
    number = np.arange(len(list_of)) - np.repeat(np.cumsum(count) - count, count)
    start = places[list_of] + ends[number] - 1 + _digits(number) + 2
    if not len(start):
        return fits, None
    rows = _windows(letters, start, size)
    right = (rows[:, layout.fixed] == layout.template[layout.fixed]).all(axis=1) & _keys_right(letters, start, number)
    columns = {field.name: _column(rows, layout.places[field.name], field) for field in ITEM_FIELDS}
    for name, (values, known) in columns.items():
        right &= known
        columns[name] = (values, known)
    fits &= np.bincount(list_of, weights=~right, minlength=len(places)) == 0
    kept = fits[list_of]
    offsets = np.concatenate([[0], np.cumsum(count[fits])]).astype(np.int32)
    fields = [pa.field(field.name, field.type) for field in ITEM_FIELDS]
    arrays = [pa.array(columns[field.name][0][kept], field.type) for field in ITEM_FIELDS]
    return fits, pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=fields))


def _column(rows: Bytes, place: tuple[int, int], field: FieldContract) -> tuple[Any, npt.NDArray[np.bool_]]:
    """Return a field's numbers, and a mask of those that its type can hold."""
    start, kind = place
    values = np.ascontiguousarray(rows[:, start : start + WIDTH[kind]]).view(NUMPY[kind])[:, 0]
    if kind == DOUBLE:
        return values, ~np.isnan(values)
    if pa.types.is_int32(field.type):
        return values.astype(np.int32), values == values.astype(np.int32)
    return values, np.ones(len(values), dtype=np.bool_)


def _ends_of_items(size: int) -> Ints:
    """By the number of items, how long an array of items of this size is."""
    count = min(LONGEST, (1 << 24) // size + 1)
    return 5 + np.concatenate([[0], np.cumsum(2 + _digits(np.arange(count)) + size)])


def _digits(numbers: Ints) -> Ints:
    """How many digits each number is written with."""
    return np.searchsorted(np.array([10, 100, 1000, 10_000, 100_000]), numbers, side="right") + 1


def _keys_right(letters: Bytes, starts: Ints, numbers: Ints) -> npt.NDArray[np.bool_]:
    """Whether each item is a document and has its number for a name, as in every BSON array."""
    keys = [b"\x03%d\x00" % number for number in range(int(numbers.max()) + 1)]
    expected = np.frombuffer(b"".join(key.rjust(_KEY_WIDTH, b"\xff") for key in keys), np.uint8)
    expected = expected.reshape(-1, _KEY_WIDTH)[numbers]
    padding = np.arange(_KEY_WIDTH) < _KEY_WIDTH - 2 - _digits(numbers)[:, None]
    return np.asarray(((_windows(letters, starts - _KEY_WIDTH, _KEY_WIDTH) == expected) | padding).all(axis=1))


def _windows(letters: Bytes, starts: Ints, width: int) -> Bytes:
    """Return the bytes of each window, one row for each window."""
    return np.lib.stride_tricks.sliding_window_view(letters, width)[starts]


def _numbers(letters: Bytes, starts: Ints, width: int, dtype: str) -> Any:  # noqa: ANN401  (NumPy's types)
    return np.ascontiguousarray(_windows(letters, starts, width)).view(dtype)[:, 0]
