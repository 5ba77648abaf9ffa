"""Lists and reactions as the documents that MongoDB holds.

Lists are most of the volume, so their documents are written as BSON bytes directly: lists of one length, surface and
policy share one layout, and only the numbers in it differ. `insert_many` takes them as they are.
"""

import re
from dataclasses import dataclass
from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from rankloop.contracts.marketplace import IMPRESSIONS, INTERACTIONS, KINDS, SCHEMAS
from rankloop_demo.simulator.clock import Clock, object_ids
from rankloop_demo.simulator.lists import SURFACES, Lists
from rankloop_demo.simulator.market_day import MarketDay
from rankloop_demo.simulator.reactions import Reactions
from rankloop_demo.simulator.vocabulary import Ints
from rankloop_demo.simulator.world import FIRST_SHOP_ID, World

Document = dict[str, Any]
LIST, REACTION = 1, 2
ID = "_id"
ARRIVAL = "arrival_ms"
INTERACTION_COLUMNS = pa.schema([*SCHEMAS[INTERACTIONS], pa.field(ID, pa.binary(12)), pa.field(ARRIVAL, pa.int64())])


@dataclass(frozen=True)
class Page:
    """Where documents belong: one block of one day of one world."""

    world: World
    market: MarketDay
    clock: Clock
    block: int

    def ids(self, arrival_ms: Ints, kind: int, first: int = 0) -> npt.NDArray[np.uint8]:
        """Return the `_id` of each document of a kind, numbered from `first`, as rows of twelve bytes."""
        return object_ids(arrival_ms, self.market.number, self.block, kind, first + np.arange(len(arrival_ms)))


def request_ids(page: Page, count: int) -> list[str]:
    """Return the `request_id` of each list of a block's day."""
    return [f"q{page.clock.day:%Y%m%d}-{page.block:05d}-{number:06d}" for number in range(count)]


def list_documents(page: Page, lists: Lists) -> list[bytes]:
    """Return one BSON document a list, in the order of the lists."""
    length = lists.shown.sum(axis=1)
    instant = page.clock.at(lists.second)
    identity = page.ids(instant, LIST)
    names = np.array(request_ids(page, len(instant)), dtype=bytes)
    account, products = page.world.buyers.id[lists.buyer], page.world.products.id
    documents: list[bytes] = [b""] * len(instant)
    layouts = zip(lists.surface.tolist(), lists.policy.tolist(), length.tolist(), strict=True)
    for surface, policy, size in sorted(set(layouts)):
        rows = np.flatnonzero((lists.surface == surface) & (lists.policy == policy) & (length == size))
        template = bson.encode(_sample_list(surface, policy, size, names.dtype.itemsize))
        sheet = np.tile(np.frombuffer(template, dtype=np.uint8), (len(rows), 1))
        _put(sheet, rb"\x07_id\x00", identity[rows, None])
        _put(sheet, rb"\x02request_id\x00....", names[rows].view(np.uint8).reshape(len(rows), 1, -1))
        _put(sheet, rb"\x12account_id\x00", _bytes(account[rows], "<i8"))
        _put(sheet, rb"\x10baid_group\x00", _bytes(account[rows] % 10, "<i4"))
        _put(sheet, rb"\x09ts\x00", _bytes(instant[rows], "<i8"))
        _put(sheet, rb"\x12product_id\x00", _bytes(products[lists.products[rows, :size]], "<i8"))
        _put(sheet, rb"\x01base_score\x00", _bytes(lists.base_score[rows, :size], "<f8"))
        for row, document in zip(rows.tolist(), sheet, strict=True):
            documents[row] = document.tobytes()
    return documents


def _sample_list(surface: int, policy: str, size: int, name_length: int) -> Document:
    """Build a list's document with the right layout; positions count from 1 and are final, the rest is overwritten.

    Its letters and zeros cannot be mistaken for a field's name, which is how each place is found.
    """

    def item(place: int) -> Document:
        return {"product_id": bson.Int64(0), "position": place, "base_score": 0.0}

    document = {
        ID: ObjectId(bytes(12)),
        "request_id": "q" * name_length,
        "account_id": bson.Int64(0),
        "baid_group": 0,
        "ts": DatetimeMS(0),
        "surface": SURFACES[surface],
        "policy": policy,
        "items": [item(place) for place in range(1, size + 1)],
    }
    if set(document) - {ID} != set(SCHEMAS[IMPRESSIONS].names):
        raise AssertionError(f"a list's document has fields {sorted(document)}, the contract others")
    return document


def _put(sheet: Ints, field: bytes, values: Ints) -> None:
    """Write values (a row a document, a column an occurrence, then bytes) behind each occurrence of the field."""
    starts = np.array([match.end() for match in re.finditer(field, sheet[0].tobytes(), re.DOTALL)], dtype=np.int64)
    sheet[:, starts[:, None] + np.arange(values.shape[2])] = values


def _bytes(values: Any, dtype: str) -> Ints:  # noqa: ANN401  (any array of numbers)
    flat = np.ascontiguousarray(values, dtype=dtype)
    return flat.view(np.uint8).reshape(len(flat), -1, flat.dtype.itemsize)


def reaction_table(page: Page, reactions: Reactions, arrival_ms: Ints, first: int = 0) -> pa.Table:
    """Return a row for each reaction, as the contract has it, numbered from `first`, with its `_id` and its arrival."""
    count, world = len(reactions.kind), page.world
    account = world.buyers.id[reactions.buyer]
    names = np.array(request_ids(page, int(reactions.list.max(initial=-1)) + 1), dtype=object)
    request = np.full(count, None, dtype=object)
    listed = reactions.list >= 0
    request[listed] = names[reactions.list[listed]]
    columns = {
        "interaction_id": [
            f"i{page.clock.day:%Y%m%d}-{page.block:05d}-{number:06d}" for number in range(first, first + count)
        ],
        "account_id": account,
        "baid_group": account % 10,
        "ts": pa.array(page.clock.at(reactions.second), pa.int64()).cast(pa.timestamp("ms", tz="UTC")),
        "kind": np.array(KINDS, dtype=object)[reactions.kind],
        "product_id": world.products.id[reactions.product],
        "shop_id": FIRST_SHOP_ID + world.products.shop[reactions.product],
        "request_id": request,
        "price": page.market.price[reactions.product].astype(np.int64),
        "quantity": reactions.quantity,
        ID: pa.array([row.tobytes() for row in page.ids(arrival_ms, REACTION, first)], pa.binary(12)),
        ARRIVAL: arrival_ms,
    }
    return pa.table(columns, schema=INTERACTION_COLUMNS)


def reaction_documents(table: pa.Table) -> list[Document]:
    """Return one document a row; a reaction to no list has no `request_id`."""
    instants = table["ts"].cast(pa.int64()).to_pylist()
    names = [name for name in SCHEMAS[INTERACTIONS].names if name != "ts"]
    # PyMongo would write a small number as 32 bits and a large one as 64; the contract knows one type a field.
    wide = {field.name for field in SCHEMAS[INTERACTIONS] if field.type == pa.int64()}
    columns = {name: table[name].to_pylist() for name in (ID, *names)}
    rows = zip(*(map(bson.Int64, column) if name in wide else column for name, column in columns.items()), strict=True)
    documents = []
    for instant, (identity, *values) in zip(instants, rows, strict=True):
        document = {ID: ObjectId(identity), **dict(zip(names, values, strict=True)), "ts": DatetimeMS(instant)}
        if document["request_id"] is None:
            del document["request_id"]
        documents.append(document)
    return documents
