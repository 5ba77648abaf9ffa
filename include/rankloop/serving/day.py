"""The newest day's features in memory, for lists that come one at a time and want an answer at once.

Lists are joined by `join_features` and by nothing else, so a product scores here what it scores in evaluation. Most of
what a join takes is planning its SQL, whatever the number of lists: those that come at the same time share one.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.calendar import days_between
from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, REACTIONS, SHOWN
from rankloop.engine.duck import DuckEngine
from rankloop.errors import TransientError
from rankloop.features.catalogue import AS_OF
from rankloop.features.families import buyer, product
from rankloop.features.joining.protocol import LIST_COLUMNS
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake

LIST = pa.schema([EVENT_SCHEMAS[SHOWN].field(name) for name in LIST_COLUMNS])
ASKED = "asked"
ROWS_AT_ONCE = 4000
"""Products of the lists that share one join."""
HISTORY_DAYS = 7
OF_PAIRS = (DAY, "account_id", "product_id")
"""What is asked of the lists of the last days; the rest would be most of the memory."""


class BusyError(TransientError):
    """More is asked than can be answered in time."""


@dataclass(frozen=True)
class Good:
    """A product, for people."""

    product_id: int
    name: str
    price: int
    shop_id: int


@dataclass
class _Waiting:
    rows: pa.Table
    joined: pa.Table | None = None
    error: Exception | None = None
    given_up: bool = field(default=False)


class HeldEngine(DuckEngine):
    """Reads each table once, and gives of it what concerns the lists that are asked about."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  (Ibis ships no types)
        super().__init__(connection)
        self.connection = connection
        self.asked = connection.create_table(ASKED, schema=ibis.schema(LIST))
        self._held: dict[tuple[str, ...], ir.Table] = {}

    def read(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """The rows in memory, of the buyers or, where it knows none, of the products that are asked about.

        Each row of a list depends on its own buyer and product alone, as it does when lists are joined in portions.
        """
        rows = self.held(files, schema)
        key = next((name for name in ("account_id", "product_id") if name in rows.columns), None)
        return rows.filter(rows[key].isin(self.asked[key])) if key else rows

    def held(self, files: Sequence[str], schema: pa.Schema) -> ir.Table:
        """All rows in memory; those of a buyer lie together, so that few are looked at for one."""
        found = (*files, *schema.names)
        if found not in self._held:
            rows = super().read(files, schema)
            if {"request_id", "position"} <= set(schema.names):
                rows = rows.select(*OF_PAIRS)
            if "account_id" in rows.columns:
                rows = rows.order_by("account_id")
            self._held[found] = self.connection.create_table(f"held_{len(self._held)}", rows)
        return self._held[found]


class Day:
    """What is known at the end of a day, in memory; see `load_day`."""

    def __init__(self, store: FeatureStore, day: date) -> None:
        self.day = day
        lake, options = store.lake, store.settings
        connection = ibis.duckdb.connect(memory_limit=options.memory, threads=options.threads)
        engine = HeldEngine(connection)
        self._schema = store.joined_schema(LIST)
        statement = engine.statement(SetJoiner(engine, store, engine.asked, day).table(), self._schema)
        history = days_between(day - timedelta(days=HISTORY_DAYS - 1), day)
        goods = engine.held(lake.files(product.TABLE.name, [day]), product.TABLE.schema)
        buyers = engine.held(lake.files(buyer.TABLE.name, [day]), buyer.TABLE.schema)
        done = engine.held(lake.files(REACTIONS, list(history)), EVENT_SCHEMAS[REACTIONS])
        self._goods, self._buyers, self._done = (table.get_name() for table in (goods, buyers, done))
        self._database = connection.con
        # Never asked anything itself, so that others can be made from it at any time.
        self._spare = self._database.cursor()
        [self._parsed] = self._database.extract_statements(statement)
        self._one_at_a_time = threading.Lock()
        self._line: deque[_Waiting] = deque()

    def join(self, rows: pa.Table, within_s: float) -> pa.Table:
        """One list with every feature of the day, in the order that it came in; together with others that wait."""
        mine = _Waiting(rows.select(LIST.names).cast(LIST))
        self._line.append(mine)
        if not self._one_at_a_time.acquire(timeout=within_s):
            mine.given_up = True
            raise BusyError(f"more lists wait to be ranked than can be within {within_s:g} s. Ask again later.")
        try:
            while mine.joined is None and mine.error is None:
                self._join_those_in_line()
        finally:
            self._one_at_a_time.release()
        if mine.joined is None:
            raise mine.error or AssertionError("a list was neither joined nor refused")
        return mine.joined

    def _join_those_in_line(self) -> None:
        taken: list[_Waiting] = []
        while self._line and (not taken or sum(one.rows.num_rows for one in taken) < ROWS_AT_ONCE):
            if not (one := self._line.popleft()).given_up:
                taken.append(one)
        try:
            self._join_together(taken)
        except Exception as error:  # noqa: BLE001  (whatever it is, each of them has to hear of it)
            for one in taken:
                one.error = error

    def _join_together(self, taken: Sequence[_Waiting]) -> None:
        named = [_called(one.rows, str(number)) for number, one in enumerate(taken)]
        rows = pa.concat_tables(named)
        self._database.register("given", rows)
        self._database.execute(f"TRUNCATE {ASKED}; INSERT INTO {ASKED} SELECT * FROM given")  # noqa: S608  (our own)
        self._database.unregister("given")
        joined = self._as_table(self._database.execute(self._parsed).fetchnumpy())
        for number, one in enumerate(taken):
            mine = joined.filter(pc.equal(joined["request_id"], str(number)))
            places = pc.index_in(one.rows["product_id"], mine["product_id"].combine_chunks())
            one.joined = mine.take(places)

    def _as_table(self, columns: Mapping[str, Any]) -> pa.Table:
        """Arrow made by way of NumPy: asked for Arrow itself, DuckDB would plan the same SQL twice."""
        arrays = [
            pa.array(np.ma.getdata(columns[field.name]), field.type, mask=np.ma.getmaskarray(columns[field.name]))
            for field in self._schema
        ]
        return pa.table(arrays, schema=self._schema)

    # For people

    def goods(self, products: Iterable[int]) -> Mapping[int, Good]:
        """Those of these products that the day knows."""
        rows = self._ask(
            f"SELECT product_id, name, product_price, shop_id FROM {self._goods} WHERE product_id IN "  # noqa: S608
            "(SELECT unnest($wanted::BIGINT[]))",
            wanted=list(products),
        )
        return {row[0]: Good(*row) for row in rows}

    def history(self, account_id: int, most: int) -> list[tuple[datetime, str, int]]:
        """What a buyer did last: when, what kind of thing, and with which product; the newest first."""
        rows = self._ask(
            f"SELECT epoch_ms(ts), kind, product_id FROM {self._done} "  # noqa: S608
            "WHERE account_id = $account AND product_id IS NOT NULL ORDER BY ts DESC, kind, product_id LIMIT $most",
            account=account_id,
            most=most,
        )
        return [(datetime.fromtimestamp(at / 1000, UTC), kind, product_id) for at, kind, product_id in rows]

    def some_buyers(self, most: int) -> list[tuple[int, int, int]]:
        """A few buyers, from the busiest to the quietest of those who came: their clicks and orders in 28 days."""
        return self._ask(
            "SELECT account_id, buyer_clicks_28d, buyer_orders_28d FROM (SELECT *, ntile($most) OVER (ORDER BY "  # noqa: S608
            f"buyer_clicks_28d DESC, account_id) AS share FROM {self._buyers} WHERE buyer_clicks_28d > 0) "
            "QUALIFY row_number() OVER (PARTITION BY share ORDER BY buyer_clicks_28d DESC, account_id) = 1 "
            "ORDER BY share",
            most=most,
        )

    def _ask(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (whatever DuckDB takes)
        # A cursor of its own: people do not wait for lists, nor lists for people.
        found: list[tuple[Any, ...]] = self._spare.cursor().execute(sql, values).fetchall()
        return found


def _called(rows: pa.Table, name: str) -> pa.Table:
    """The list under another name, for two clients may call theirs the same."""
    return rows.set_column(0, LIST.field(0), pa.array([name] * rows.num_rows))


def whole_days(lake: Lake) -> list[date]:
    """The days as of which every table of features is there, the newest first."""
    tables = [builder.spec.name for builder in AS_OF]
    if not all(lake.has(table) for table in tables):
        return []
    # A table may have no rows on a day, so it is the commits that tell.
    return sorted(
        set.intersection(*({entry.day for entry in lake.versions(table) if entry.day} for table in tables)),
        reverse=True,
    )


def contents(lake: Lake) -> tuple[int, ...]:
    """What changes with every write to what a day is made from."""
    tables = (*(builder.spec.name for builder in AS_OF), SHOWN, REACTIONS)
    return tuple(lake.version(table) if lake.has(table) else -1 for table in tables)
