"""The newest day's features in memory, for lists that come one at a time and are answered at once.

Lists are joined from the same arrays as a whole batch, so a product scores here what it scores in evaluation.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from rankloop.calendar import days_between
from rankloop.contracts.lake import EVENT_SCHEMAS, REACTIONS, SHOWN
from rankloop.engine.duck import open_duck
from rankloop.engine.protocol import Engine
from rankloop.errors import TransientError
from rankloop.features.catalogue import AS_OF
from rankloop.features.families import buyer, product
from rankloop.features.joining.arrays import as_it_is
from rankloop.features.joining.index import FeatureIndex
from rankloop.features.joining.protocol import LIST_COLUMNS
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake

LIST = pa.schema([EVENT_SCHEMAS[SHOWN].field(name) for name in LIST_COLUMNS])
HISTORY_DAYS = 7
OF_GOODS = ("product_id", "name", "product_price", "shop_id")
OF_BUYERS = ("account_id", "buyer_clicks_28d", "buyer_orders_28d")
OF_REACTIONS = ("account_id", "ts", "kind", "product_id")


class BusyError(TransientError):
    """More lists wait than can be ranked in time."""


@dataclass(frozen=True)
class ProductDetails:
    """What a person is shown of a product."""

    product_id: int
    name: str
    price: int
    shop_id: int


class DayCache:
    """The features of one day in memory, and the products, buyers and reactions that the storefront shows."""

    def __init__(self, store: FeatureStore, day: date) -> None:
        self.day = day
        self._features = store.catalogue.feature_names
        with open_duck(store.settings) as engine:
            self._index = FeatureIndex(engine, store, None, day, self._features, pa.schema([]), as_it_is)
            shown = _shown_to_people(engine, store, day)
            tables = {name: engine.batches(table, schema).read_all() for name, table, schema in shown}
        self._database = duckdb.connect(
            config={"threads": store.settings.threads, "memory_limit": store.settings.memory}
        )
        for name, rows in tables.items():
            # The rows of a buyer lie together, so that few are looked at for one.
            order = "ORDER BY account_id" if "account_id" in rows.column_names else ""
            self._database.register("given", rows)
            self._database.execute(f"CREATE TABLE {name} AS FROM given {order}")
            self._database.unregister("given")
        self._one_at_a_time = threading.Lock()

    def join(self, rows: pa.Table, timeout_s: float) -> pa.RecordBatch:
        """Return every feature of the day for the rows of one list, in their order, in 32 bits."""
        # NumPy keeps the interpreter to itself most of the time: lists joined side by side would wait for each other.
        if not self._one_at_a_time.acquire(timeout=timeout_s):
            raise BusyError(f"more lists wait to be ranked than can be within {timeout_s:g} s. Ask again later.")
        try:
            blocks = [block.copy() for block in self._index.join(rows.select(LIST.names).cast(LIST)).blocks]
        finally:
            self._one_at_a_time.release()
        columns = [pa.array(column, from_pandas=True) for column in np.concatenate(blocks).T.copy()]
        return pa.RecordBatch.from_arrays(columns, names=list(self._features))

    # For the storefront

    def goods(self, products: Iterable[int]) -> Mapping[int, ProductDetails]:
        """Return details of these products, by id; the day may not know all of them."""
        rows = self._ask(
            "SELECT product_id, name, product_price, shop_id FROM goods WHERE product_id IN "
            "(SELECT unnest($wanted::BIGINT[]))",
            wanted=list(products),
        )
        return {row[0]: ProductDetails(*row) for row in rows}

    def history(self, account_id: int, most: int) -> list[tuple[datetime, str, int]]:
        """Return a buyer's last reactions, newest first: the time, the kind and the product."""
        rows = self._ask(
            "SELECT epoch_ms(ts), kind, product_id FROM done "
            "WHERE account_id = $account AND product_id IS NOT NULL ORDER BY ts DESC, kind, product_id LIMIT $most",
            account=account_id,
            most=most,
        )
        return [(datetime.fromtimestamp(at / 1000, UTC), kind, product_id) for at, kind, product_id in rows]

    def some_buyers(self, most: int) -> list[tuple[int, int, int]]:
        """Return a few buyers, from the busiest to the quietest, with their clicks and orders in 28 days."""
        return self._ask(
            "SELECT account_id, buyer_clicks_28d, buyer_orders_28d FROM (SELECT *, ntile($most) OVER (ORDER BY "
            "buyer_clicks_28d DESC, account_id) AS share FROM buyers WHERE buyer_clicks_28d > 0) "
            "QUALIFY row_number() OVER (PARTITION BY share ORDER BY buyer_clicks_28d DESC, account_id) = 1 "
            "ORDER BY share",
            most=most,
        )

    def _ask(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (whatever DuckDB takes)
        # Cursors of one connection can be used side by side; the connection itself cannot.
        found: list[tuple[Any, ...]] = self._database.cursor().execute(sql, values).fetchall()
        return found


def _shown_to_people(engine: Engine, store: FeatureStore, day: date) -> Iterator[tuple[str, ir.Table, pa.Schema]]:
    """Yield the tables that people are shown something of: a name, the rows, and the columns in question."""
    lake, history = store.lake, days_between(day - timedelta(days=HISTORY_DAYS - 1), day)
    goods, buyers, done = product.TABLE.schema, buyer.TABLE.schema, EVENT_SCHEMAS[REACTIONS]
    yield "goods", engine.read(lake.files(product.TABLE.name, [day]), goods), _only(goods, *OF_GOODS)
    yield "buyers", engine.read(lake.files(buyer.TABLE.name, [day]), buyers), _only(buyers, *OF_BUYERS)
    yield "done", engine.read(lake.files(REACTIONS, list(history)), done), _only(done, *OF_REACTIONS)


def _only(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


def whole_days(lake: Lake) -> list[date]:
    """Return the days as of which every table of features is there, newest first."""
    tables = [builder.spec.name for builder in AS_OF]
    if not all(lake.has(table) for table in tables):
        return []
    # A table may have no rows on a day, so it is the commits that tell.
    return sorted(
        set.intersection(*({entry.day for entry in lake.versions(table) if entry.day} for table in tables)),
        reverse=True,
    )


def contents(lake: Lake) -> tuple[int, ...]:
    """Return what changes with every write to the tables that a day is loaded from."""
    tables = (*(builder.spec.name for builder in AS_OF), SHOWN, REACTIONS)
    return tuple(lake.version(table) if lake.has(table) else -1 for table in tables)
