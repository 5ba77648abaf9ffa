"""Dirt: a small, known share of the documents is wrong in a way that real events are wrong.

What was done to which document is recorded, so that a test can ask whether cleaning found exactly that.
"""

import copy
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import bson
import numpy as np
import pyarrow as pa
from bson.datetime_ms import DatetimeMS

from rankloop.contracts.marketplace import BUYERS, IMPRESSIONS, INTERACTIONS, KEYS, PRODUCTS
from rankloop_demo.simulator.documents import ID, Document

LATE_SHARE = 0.003
"""Of the reactions of a day; they arrive on the next one."""
UNKNOWN_PRODUCT = 99_000_000
"""No product has this number or a higher one."""


@dataclass(frozen=True)
class Stain:
    """One document made dirty: the kind of dirt, the field it is in, and the value that stands there now."""

    collection: str
    kind: str
    key: Any
    """The document's key as it should be: interaction_id, request_id, product_id or account_id."""
    id: str
    field: str
    value: str

    def row(self) -> dict[str, Any]:
        """Return the stain as a row of the day's truth file."""
        return asdict(self)


Soil = Callable[[Document, np.random.Generator], str]
"""Makes a document dirty in place and gives back the field, or nothing where this document cannot be so."""


def _bad_price(field: str) -> Soil:
    def soil(document: Document, random: np.random.Generator) -> str:
        document[field] = bson.Int64(-int(document[field])) if random.random() < 0.5 else bson.Int64(0)
        return field

    return soil


def _missing(*fields: str) -> Soil:
    def soil(document: Document, random: np.random.Generator) -> str:
        field = fields[random.integers(len(fields))]
        del document[field]
        return field

    return soil


def _wrong_type(*fields: str) -> Soil:
    def soil(document: Document, random: np.random.Generator) -> str:
        field = fields[random.integers(len(fields))]
        value = document[field]
        if isinstance(value, DatetimeMS):
            document[field] = value.as_datetime().isoformat()
        else:
            document[field] = f"{value}đ" if "price" in field else str(value)
        return field

    return soil


def _white_space(*fields: str) -> Soil:
    def soil(document: Document, random: np.random.Generator) -> str:
        field = fields[random.integers(len(fields))]
        text = document[field]
        if text is None:
            return ""
        document[field] = (f" {text}", f"{text}\t", text.replace(" ", "  ") + " ")[random.integers(3)]
        return field

    return soil


def _decomposed(field: str) -> Soil:
    def soil(document: Document, _random: np.random.Generator) -> str:
        text = document[field] or ""
        document[field] = unicodedata.normalize("NFD", text)
        return field if document[field] != text else ""

    return soil


def _future(document: Document, random: np.random.Generator) -> str:
    document["ts"] = DatetimeMS(int(document["ts"]) + int(random.integers(2, 400)) * 86_400_000)
    return "ts"


def _unknown_product(document: Document, random: np.random.Generator) -> str:
    unknown = bson.Int64(UNKNOWN_PRODUCT + int(random.integers(1_000_000)))
    if "items" in document:
        document["items"][random.integers(len(document["items"]))]["product_id"] = unknown
        return "items.product_id"
    document["product_id"] = unknown
    return "product_id"


def _no_list(document: Document, random: np.random.Generator) -> str:
    document["request_id"] = f"q00000000-00000-{int(random.integers(1_000_000)):06d}"
    return "request_id"


SOILS: dict[str, dict[str, tuple[float, Soil]]] = {
    BUYERS: {
        "white_space": (0.01, _white_space("address_city", "address_district")),
        "decomposed_unicode": (0.01, _decomposed("address_city")),
        "wrong_type": (0.002, _wrong_type("total_order", "baid_group")),
        "missing_field": (0.002, _missing("total_order", "utc_created_at")),
    },
    PRODUCTS: {
        "white_space": (0.01, _white_space("name")),
        "decomposed_unicode": (0.01, _decomposed("name")),
        "bad_price": (0.003, _bad_price("final_price")),
        "wrong_type": (0.002, _wrong_type("original_price", "final_price")),
        "missing_field": (0.002, _missing("category_path", "final_price")),
    },
    IMPRESSIONS: {
        "unknown_product": (0.0007, _unknown_product),
        "future_time": (0.0005, _future),
        "wrong_type": (0.0007, _wrong_type("account_id", "ts")),
        "missing_field": (0.0007, _missing("account_id", "items", "ts")),
    },
    INTERACTIONS: {
        "white_space": (0.001, _white_space("kind")),
        "bad_price": (0.0007, _bad_price("price")),
        "unknown_product": (0.0007, _unknown_product),
        "future_time": (0.0007, _future),
        "wrong_type": (0.0007, _wrong_type("account_id", "price", "ts")),
        "missing_field": (0.0007, _missing("account_id", "product_id", "kind")),
        "no_list": (0.0007, _no_list),
    },
}
"""By collection and kind of dirt: the share of documents, and how it is done."""

DUPLICATES = {IMPRESSIONS: 0.001, INTERACTIONS: 0.002}
"""Documents sent twice: another `_id`, everything else the same."""


def soil(collection: str, documents: list[Any], random: np.random.Generator) -> tuple[list[Any], list[Stain]]:
    """Make some documents dirty, each in one way at most, and return all of them with what was done to which."""
    documents, stains = list(documents), []
    draw = random.random(len(documents))
    edge = 0.0
    for kind, (share, soil_one) in SOILS[collection].items():
        for row in np.flatnonzero((draw >= edge) & (draw < edge + share)).tolist():
            document = _loose(documents[row])
            key = document[KEYS[collection]]
            if field := soil_one(document, random):
                documents[row] = document
                stains.append(_stain(collection, kind, key, document, field))
        edge += share
    share = DUPLICATES.get(collection, 0.0)
    for row in np.flatnonzero((draw >= edge) & (draw < edge + share)).tolist():
        again = _loose(documents[row])
        again[ID] = bson.ObjectId(again[ID].binary[:8] + bytes([again[ID].binary[8] | 0x80]) + again[ID].binary[9:])
        documents.append(again)
        stains.append(_stain(collection, "duplicate", again[KEYS[collection]], again, KEYS[collection]))
    return documents, stains


def late(arrivals: pa.Table) -> list[Stain]:
    """Return a stain for each reaction that arrives a day after it happened."""
    keys, ids = arrivals[KEYS[INTERACTIONS]].to_pylist(), arrivals[ID].to_pylist()
    return [Stain(INTERACTIONS, "late", key, identity.hex(), "", "") for key, identity in zip(keys, ids, strict=True)]


def _loose(document: Any) -> Document:  # noqa: ANN401  (a document, as a dict or as BSON)
    """Return a copy that can be changed."""
    if isinstance(document, bytes):
        return bson.decode(document, bson.CodecOptions(datetime_conversion=bson.DatetimeConversion.DATETIME_MS))
    return copy.deepcopy(document)


def _stain(collection: str, kind: str, key: object, document: Document, field: str) -> Stain:
    value = "" if field not in document else repr(document[field])
    return Stain(collection, kind, key, str(document[ID]), field, value)
