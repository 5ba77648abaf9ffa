"""Reads one document exactly, a field at a time: what fits the contract, and what is wrong with the rest.

Slow and strict. It says what is right for the few documents that the fast way (see `decoding`) is not sure of, so the
two agree by construction; tests compare them on documents of every kind.
"""

from datetime import datetime
from hashlib import sha256
from math import isnan
from typing import Any

import bson
import pyarrow as pa
from bson import ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from rankloop.contracts.sources import (
    ARRIVED,
    FAULTS,
    ID,
    ITEM_FIELDS,
    ITEMS,
    TEXT_INSTANT,
    FieldContract,
    SourceContract,
)

Row = dict[str, Any]
Fault = dict[str, Any]

MISSING, WRONG_TYPE = "missing_field", "wrong_type"
VALUE_LENGTH = 120
EXACT = 2**53
"""Beyond this a double no longer tells whole numbers apart."""
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="surrogateescape"
)
_REFUSED = object()


def conform_document(document: bytes, contract: SourceContract) -> Row:
    """Return the document as a row of the contract's raw table, with its faults; a field at fault is null."""
    values = bson.decode(document, _OPTIONS)
    faults: list[Fault] = []
    row: Row = _identity(values.get("_id"), contract, faults)
    for field in contract.fields:
        value = values.get(field.name)
        if field.name == ITEMS:
            row[ITEMS] = _items(value, faults)
        else:
            row[field.target] = _checked(value, field, field.name, None, faults)
    row[FAULTS] = faults or None
    return row


def _identity(identity: Any, contract: SourceContract, faults: list[Fault]) -> Row:  # noqa: ANN401  (any BSON value)
    if isinstance(identity, ObjectId):
        return {ID: str(identity), ARRIVED: int(identity.generation_time.timestamp()) * 1000}
    if contract.event:
        # Only an ObjectId says when its document arrived.
        faults.append(_fault(None, "_id", WRONG_TYPE, identity))
    return {ID: _name_of(identity), ARRIVED: None}


def _name_of(identity: Any) -> str:  # noqa: ANN401  (any BSON value)
    """Return a readable `_id` followed by its digest, since many can read the same."""
    digest = sha256(repr(identity).encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{describe_value(identity)} #{digest}"


def _items(value: Any, faults: list[Fault]) -> list[Row] | None:  # noqa: ANN401  (any BSON value)
    if _absent(value):
        faults.append(_fault(None, ITEMS, MISSING, value))
        return None
    if not isinstance(value, list):
        faults.append(_fault(None, ITEMS, WRONG_TYPE, value))
        return None
    return [_item(number, item, faults) for number, item in enumerate(value)]


def _item(number: int, item: Any, faults: list[Fault]) -> Row:  # noqa: ANN401  (any BSON value)
    if not isinstance(item, dict):
        faults.append(_fault(number, ITEMS, WRONG_TYPE, item))
        return {field.name: None for field in ITEM_FIELDS}
    return {
        field.name: _checked(item.get(field.name), field, f"{ITEMS}.{field.name}", number, faults)
        for field in ITEM_FIELDS
    }


def _checked(value: Any, field: FieldContract, path: str, item: int | None, faults: list[Fault]) -> Any:  # noqa: ANN401
    if _absent(value):
        if field.required:
            faults.append(_fault(item, path, MISSING, value))
        return None
    taken = coerce_value(value, field)
    if taken is _REFUSED:
        faults.append(_fault(item, path, WRONG_TYPE, value))
        return None
    return taken


def coerce_value(value: Any, field: FieldContract) -> Any:  # noqa: ANN401  (any BSON value)
    """Return the value in the field's type, or `_REFUSED`; nothing is rounded, truncated or guessed."""
    if field.text_instant:
        return _instant(value) if isinstance(value, str) else _REFUSED
    if pa.types.is_integer(field.type):
        return _integer(value, field.type.bit_width)
    if pa.types.is_floating(field.type):
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _REFUSED
    if pa.types.is_boolean(field.type):
        return value if isinstance(value, bool) else _REFUSED
    if pa.types.is_timestamp(field.type):
        return int(value) if isinstance(value, DatetimeMS) else _REFUSED
    return value if type(value) is str and not _undecodable(value) else _REFUSED


def _integer(value: Any, bits: int) -> Any:  # noqa: ANN401  (any BSON value)
    """Writers in JavaScript send whole numbers as doubles, and those are taken."""
    if isinstance(value, float) and abs(value) < EXACT and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return _REFUSED
    return int(value) if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else _REFUSED


def _instant(text: str) -> Any:  # noqa: ANN401  (milliseconds, or refused)
    try:
        return int(datetime.strptime(text, TEXT_INSTANT).timestamp() * 1000)  # noqa: DTZ007  (it has %z)
    except ValueError:
        return _REFUSED


def _undecodable(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _absent(value: Any) -> bool:  # noqa: ANN401  (any BSON value)
    """Not a number means not known, as exports of data frames have it."""
    return value is None or (isinstance(value, float) and isnan(value))


def _fault(item: int | None, field: str, reason: str, value: Any) -> Fault:  # noqa: ANN401  (any BSON value)
    return {"item": item, "field": field, "reason": reason, "value": None if value is None else describe_value(value)}


def describe_value(value: Any) -> str:  # noqa: ANN401  (any BSON value)
    """Describe a value for a person to read; of documents and arrays only the size, as they may hold anything."""
    if isinstance(value, dict):
        return f"a document of {len(value)} fields"
    if isinstance(value, list):
        return f"an array of {len(value)} elements"
    if isinstance(value, DatetimeMS):
        return value.as_datetime().isoformat() if abs(int(value)) < 2**47 else f"{int(value)} ms"
    return repr(value).encode(errors="replace").decode()[:VALUE_LENGTH]
