"""Documents to Arrow, a batch of BSON at a time: fast for all, and exact for the few that need it.

PyMongoArrow reads the fields of a whole batch in one go. It gives null where a value is missing or of a wrong type, and
takes some values for others: 12.7 for 12 and true for 1 where a whole number belongs. Rows in which that may have
happened are read again, from the same bytes, by `conform`. The products of lists are unpacked by `list_items`.
"""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pymongoarrow.context import PyMongoArrowContext
from pymongoarrow.schema import Schema
from pymongoarrow.types import ObjectIdType

from rankloop.contracts.sources import ARRIVED, FAULTS, ID, ITEMS, FieldContract, SourceContract
from rankloop.sources.mongo.conform import conform_document
from rankloop.sources.mongo.list_items import unpack_lists

Bools = npt.NDArray[np.bool_]
Bounds = tuple[list[int], list[int]]
"""Where each document of a batch starts and ends."""

DOUBLE, BOOL, NULL = b"\x01", b"\x08", b"\x0a"
_INSTANT = r"^[1-9]\d{3}-\d{2}-\d{2} \d{2}:[0-5]\d:[0-5]\d [+-]([01]\d|2[0-3])[0-5]\d$"
_HEX = np.frombuffer(b"".join(b"%02x" % number for number in range(256)), dtype=np.uint8).reshape(256, 2)
_length = struct.Struct("<i").unpack_from


def projection(contract: SourceContract) -> dict[str, int]:
    """Return the MongoDB projection: the fields of the allow-list, `_id`, and no other."""
    return {"_id": 1} | {field.name: 1 for field in contract.fields}


def decode_batch(batch: bytes, contract: SourceContract) -> pa.Table:
    """Decode the documents of a batch into rows of the contract's raw table, in no particular order."""
    bounds = _documents(batch)
    try:
        known = _typed(_read(batch, contract), contract)
    except (ArithmeticError, TypeError, ValueError):  # Arrow's own errors are ValueErrors
        # PyMongoArrow gives up on a whole batch over one value, text that is no UTF-8 for one.
        return _exactly(batch, contract, np.ones(len(bounds[0]), dtype=np.bool_), bounds)
    doubtful = _doubtful(batch, known, contract, bounds)
    if any(field.name == ITEMS for field in contract.fields):
        parts, doubtful = _with_items(batch, known, doubtful, bounds)
    else:
        parts = [known.filter(pa.array(~doubtful))]
    schema = contract.row_schema
    whole = [part.append_column(FAULTS, pa.nulls(len(part), schema.field(FAULTS).type)) for part in parts]
    return pa.concat_tables(
        [*(part.select(schema.names) for part in whole), _exactly(batch, contract, doubtful, bounds)]
    )


def _documents(batch: bytes) -> Bounds:
    starts, ends, place = [], [], 0
    while place < len(batch):
        starts.append(place)
        place += _length(batch, place)[0]
        ends.append(place)
    return starts, ends


def _flat(contract: SourceContract) -> list[FieldContract]:
    return [field for field in contract.fields if field.name != ITEMS]


def _read(batch: bytes, contract: SourceContract) -> pa.Table:
    context = PyMongoArrowContext(Schema({"_id": ObjectIdType()} | _types(contract)), allow_invalid=True)
    context.process_bson_stream(batch)
    table = context.finish()
    for column in table.columns:
        if pa.types.is_string(column.type):
            column.validate(full=True)
    return table


def _types(contract: SourceContract) -> dict[str, Any]:
    """Whole numbers are read wide, since PyMongoArrow gives up on one that does not fit 32 bits."""
    types = {}
    for field in _flat(contract):
        kind = pa.int64() if pa.types.is_integer(field.type) else field.type
        types[field.name] = pa.string() if field.text_instant else kind
    return types


def _typed(read: pa.Table, contract: SourceContract) -> pa.Table:
    """Return the rows in the types of the raw table, with null where a value does not fit."""
    identity = read["_id"].combine_chunks()
    columns = dict(zip((ID, ARRIVED), _identities(identity), strict=True))
    for field in _flat(contract):
        column = read[field.name].combine_chunks()
        if field.text_instant:
            column = _instants(column)
        elif pa.types.is_int32(field.type):
            fits = pc.equal(column, column.cast(pa.int32(), safe=False).cast(pa.int64()))
            column = pc.if_else(fits, column, None).cast(pa.int32())
        columns[field.target] = column
    return pa.table(columns)


def _identities(identity: Any) -> tuple[pa.Array, pa.Array]:  # noqa: ANN401  (pyarrow ships no types)
    """ObjectIds as text, and the second of arrival that each carries."""
    storage = identity.storage if isinstance(identity, pa.ExtensionArray) else identity
    missing = storage.is_null().to_numpy(zero_copy_only=False)
    letters = np.frombuffer(storage.buffers()[1] or b"", dtype=np.uint8)
    rows = letters[storage.offset * 12 : (storage.offset + len(storage)) * 12].reshape(-1, 12)
    text = pa.StringArray.from_buffers(
        len(rows),
        pa.py_buffer(np.arange(0, 24 * (len(rows) + 1), 24, dtype=np.int32)),
        pa.py_buffer(np.ascontiguousarray(_HEX[rows])),
    )
    seconds = np.ascontiguousarray(rows[:, :4]).view(">u4")[:, 0].astype(np.int64)
    arrived = pa.array(seconds * 1000, pa.timestamp("ms", tz="UTC"))
    gone = pa.array(missing)
    return pc.if_else(gone, None, text), pc.if_else(gone, None, arrived)


def _instants(text: pa.Array) -> pa.Array:
    """Instants written as text in the usual way; null for any other, even if it could be understood."""
    usual = pc.if_else(pc.match_substring_regex(text, _INSTANT), text, None)
    local = pc.utf8_slice_codeunits(usual, 0, 19)
    moment = pc.strptime(local, format="%Y-%m-%d %H:%M:%S", unit="ms", error_is_null=True)
    # The 30th of February comes back as another day.
    real = pc.equal(pc.strftime(moment.cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S"), local)
    hours, minutes = (pc.utf8_slice_codeunits(usual, *part).cast(pa.int64()) for part in ((21, 23), (23, 25)))
    ahead = pc.multiply(pc.add(pc.multiply(hours, 60), minutes), 60_000)
    east = pc.equal(pc.utf8_slice_codeunits(usual, 20, 21), "+")
    instant = pc.subtract(moment.cast(pa.int64()), pc.if_else(east, ahead, pc.negate(ahead)))
    return pc.if_else(real, instant, None).cast(pa.timestamp("ms", tz="UTC"))


def _doubtful(batch: bytes, known: pa.Table, contract: SourceContract, bounds: Bounds) -> Bools:
    """Return a mask of the rows that PyMongoArrow may have decoded wrongly, to be decoded exactly."""
    doubtful = _nulls(known[ID])
    for field in _flat(contract):
        nulls, key = _nulls(known[field.target]), field.name.encode() + b"\x00"
        if field.required:
            doubtful |= nulls
        elif nulls.any():
            doubtful |= _unexplained(batch, key, nulls, bounds)
        for mark in _mistakable(field):
            doubtful[_rows_with(batch, mark + key, bounds)] = True
    return doubtful


def _mistakable(field: FieldContract) -> tuple[bytes, ...]:
    """Return the BSON types that PyMongoArrow silently converts to the field's own."""
    if pa.types.is_integer(field.type):
        return DOUBLE, BOOL
    return (BOOL,) if pa.types.is_floating(field.type) else ()


def _rows_with(batch: bytes, pattern: bytes, bounds: Bounds) -> list[int]:
    places, place = [], batch.find(pattern)
    while place >= 0:
        places.append(place)
        place = batch.find(pattern, place + 1)
    return (np.searchsorted(bounds[0], places, side="right") - 1).tolist() if places else []


def _unexplained(batch: bytes, key: bytes, nulls: Bools, bounds: Bounds) -> Bools:
    """Rows whose null is neither an absent field nor a null in the document."""
    if batch.count(key) == len(nulls) - nulls.sum() + batch.count(NULL + key):
        return np.zeros(len(nulls), dtype=np.bool_)
    starts, ends = bounds
    found = [
        batch.find(key, starts[row], ends[row]) >= 0 and batch.find(NULL + key, starts[row], ends[row]) < 0
        for row in np.flatnonzero(nulls).tolist()
    ]
    unexplained = nulls.copy()
    unexplained[nulls] = found
    return unexplained


def _with_items(batch: bytes, known: pa.Table, doubtful: Bools, bounds: Bounds) -> tuple[list[pa.Table], Bools]:
    """Return the rows whose items could be unpacked, with those items, and a mask of all other rows."""
    certain = np.flatnonzero(~doubtful)
    others, parts = np.ones(len(doubtful), dtype=np.bool_), []
    starts, ends = (np.array(edge, dtype=np.int64)[certain].tolist() for edge in bounds)
    for lists in unpack_lists(batch, starts, ends):
        rows = certain[lists.documents]
        others[rows] = False
        parts.append(known.take(pa.array(rows)).append_column(ITEMS, lists.items))
    return parts, others


def _exactly(batch: bytes, contract: SourceContract, rows: Bools, bounds: Bounds) -> pa.Table:
    starts, ends = bounds
    conformed = [conform_document(batch[starts[row] : ends[row]], contract) for row in np.flatnonzero(rows).tolist()]
    return pa.Table.from_pylist(conformed, schema=contract.row_schema)


def _nulls(column: Any) -> Bools:  # noqa: ANN401  (pyarrow ships no types)
    return (
        np.array(column.is_null().to_numpy(zero_copy_only=False))
        if column.num_chunks == 1
        else np.array(column.is_null())
    )
