"""A day's lists as the champion sees them: every row counted, some of them kept, in one pass wherever the rows are.

The lists are those that the shop itself ranked, of the control group where there is one, as in the reference. They have
the features of the day before, as in training. What is read off the catalogue or an address is of the day itself: a
batch is scored by it that same evening, and nothing in it knows what came of the lists. Where the day before did not
know the product or buyer yet, it stays unknown, as it is in training.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.engine.duck import DuckEngine
from rankloop.engine.protocol import Engine, count_rows
from rankloop.experiment import is_control
from rankloop.features.build import lake_of
from rankloop.features.joining.rows import rows_with
from rankloop.features.joining.sets import LIST_COLUMNS, Portion, join_features, joined_schema
from rankloop.monitoring.measure.grid import Grid
from rankloop.monitoring.measure.reference import SCORE, Reference
from rankloop.monitoring.measure.tally import Counted, added, count, packed, unpacked
from rankloop.ranking.blocks import buyer_groups, row_draws
from rankloop.scoring.shelf import Scorer, narrow
from rankloop.settings import Settings

PORTION_ROWS = 1 << 19
"""Rows joined with features at a time: about a gigabyte."""
AS_IT_STANDS = frozenset(
    {
        *("product_price", "product_discount", "product_free_ship", "product_price_quartile", "product_price_rank"),
        *("product_price_to_median", "shop_products", "shop_discount", "shop_price_level"),
        *("buyer_gender", "buyer_city_id", "buyer_city_rank", "buyer_city_tier"),
    }
)
"""Features that count no event."""
KEYS = pa.schema({"request_id": pa.string(), "product_id": pa.int64(), "account_id": pa.int64()})
ACCOUNTS = pa.schema({"account_id": pa.int64()})
HEX_DIGITS = 8


@dataclass(frozen=True)
class Lists:
    """Lists of a day, and how many rows they have."""

    table: ir.Table
    rows: int


@dataclass(frozen=True)
class Seen:
    """What a day's rows came to."""

    rows: int
    counted: tuple[Counted, ...]
    """By column of the reference."""
    sample: pa.Table
    """Some rows, in an order of their own: `buyer_group` and the columns."""


@dataclass(frozen=True)
class Look:
    """What is sent to wherever the rows are."""

    scorer: Scorer
    columns: tuple[str, ...]
    grids: tuple[Grid, ...]
    share: float
    """Of the rows that are kept."""

    @property
    def kept(self) -> pa.Schema:
        """The rows that are kept."""
        columns = [(name, pa.float32()) for name in self.columns]
        return pa.schema([("draw", pa.int64()), ("buyer_group", pa.int64()), *columns])

    @property
    def gives(self) -> pa.Schema:
        """The same, and in the last row of each process what all of its rows came to."""
        return self.kept.append(pa.field("counted", pa.binary()))


def seen_on(engine: Engine, settings: Settings, day: date, reference: Reference, lists: Lists) -> Seen:
    """These lists of a day, in bounded memory."""
    share = min(1.0, settings.drift.sample_rows / max(lists.rows, 1))
    look = Look(reference.scorer, reference.columns, reference.grids, share)
    counted, kept = None, []
    portions = max(1, -(-lists.rows // PORTION_ROWS))
    for number in range(portions):
        for batch in _looked_at(engine, settings, day, lists.table, Portion(number, portions), look):
            kept.append(batch.filter(batch["counted"].is_null()).select(look.kept.names))
            for content in batch["counted"].drop_null():
                part = unpacked(look.grids, content.as_py())
                counted = part if counted is None else [added(*pair) for pair in zip(counted, part, strict=True)]
    sample = pa.Table.from_batches(kept, look.kept).sort_by("draw").drop("draw")
    return Seen(lists.rows, tuple(counted or ()), sample)


def comparable_lists(engine: Engine, settings: Settings, day: date, at_most: int | None = None) -> Lists:
    """The day's lists that the reference can be compared with.

    With `at_most`, as many of the lists, whole and chosen by chance, as have about so many rows.
    """
    shown = engine.read(lake_of(settings).files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    if settings.experiment.control_share > 0:
        work = partial(_of_control, settings.experiment.control_share)
        accounts = shown.select("account_id").distinct()
        shown = shown.semi_join(
            engine.materialise(engine.map_batches(accounts, ACCOUNTS, work, ACCOUNTS)), "account_id"
        )
    else:
        shown = shown.filter(shown["policy"] == BASE_POLICY)
    lists = engine.materialise(shown.select(*LIST_COLUMNS))
    rows = count_rows(engine, lists)
    if at_most is None or rows <= at_most:
        return Lists(lists, rows)
    limit = f"{int(at_most / rows * 16**HEX_DIGITS):0{HEX_DIGITS}x}"
    some = engine.materialise(lists.filter(lists["request_id"].hexdigest("md5").substr(0, HEX_DIGITS) < limit))
    return Lists(some, count_rows(engine, some))


def _of_control(share: float, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch.filter(pa.array(is_control(batch["account_id"].to_numpy(), share)))


def _looked_at(  # noqa: PLR0913, PLR0917  (what was asked, as it was asked)
    engine: Engine, settings: Settings, day: date, lists: ir.Table, portion: Portion, look: Look
) -> Iterable[pa.RecordBatch]:
    """What looking at the rows of these buyers gives."""
    if isinstance(engine, DuckEngine):
        mine = portion.take(engine, lists)
        return _look(look, iter(_gathered(engine, settings, day, mine, look.scorer.features)))
    joined = _joined(engine, settings, day, lists, portion, look.scorer.features)
    looked = engine.map_batches(joined, _takes(look), partial(_look, look), look.gives)
    found: Iterable[pa.RecordBatch] = engine.batches(looked, look.gives)
    return found


def _gathered(
    engine: DuckEngine, settings: Settings, day: date, lists: ir.Table, features: tuple[str, ...]
) -> Sequence[pa.RecordBatch]:
    """The same as `_joined`, in this process, in several times less."""
    found = list(rows_with(engine, settings, lists, day - timedelta(days=1), features))
    standing = [name for name in features if name in AS_IT_STANDS]
    if not found or not standing:
        return found
    before = pa.Table.from_batches(found)
    now = pa.Table.from_batches(rows_with(engine, settings, lists, day, standing))
    places = np.empty(now.num_rows, np.int64)
    places[_order(before)] = _order(now)
    now = now.select(standing).take(pa.array(places))
    for name in standing:
        known = pc.if_else(before[name].is_null(), pa.scalar(None, pa.float32()), now[name])
        before = before.set_column(before.column_names.index(name), name, known)
    made: Sequence[pa.RecordBatch] = before.to_batches()
    return made


def _order(rows: pa.Table) -> npt.NDArray[np.int64]:
    """The places of the rows, in the order of their keys."""
    return np.asarray(pc.sort_indices(rows, [(name, "ascending") for name in KEYS.names]).to_numpy(), np.int64)


def _joined(  # noqa: PLR0913, PLR0917  (what was asked, as it was asked)
    engine: Engine, settings: Settings, day: date, lists: ir.Table, portion: Portion, features: tuple[str, ...]
) -> ir.Table:
    before = join_features(engine, settings, lists, day - timedelta(days=1), portion=portion)
    standing = [name for name in features if name in AS_IT_STANDS]
    if not standing:
        return before.select(*KEYS.names, *features)
    now = join_features(engine, settings, lists, day, portion=portion)
    now = now.select(_request="request_id", _product="product_id", **{f"_{name}": now[name] for name in standing})
    both = [before["request_id"] == now["_request"], before["product_id"] == now["_product"]]
    rows = before.left_join(now, both)
    values = {name: rows[name] for name in features}
    values |= {name: ibis.ifelse(rows[name].isnull(), ibis.null(), rows[f"_{name}"]) for name in standing}
    return rows.select(*KEYS.names, **values)


def _takes(look: Look) -> pa.Schema:
    kinds = joined_schema(pa.schema([]))
    return pa.schema([*KEYS, *(kinds.field(name) for name in look.scorer.features)])


def _look(look: Look, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Count every row, pass some on, and last of all what was counted."""
    counted = [count(grid, np.empty(0, np.float32)) for grid in look.grids]
    score = look.scorer.carrying(KEYS)
    for batch in batches:
        [scored] = score(iter([batch]))
        rows = _as_scored(look, batch, scored)
        for number, name in enumerate(look.columns):
            values = rows[name].to_numpy(zero_copy_only=False)
            counted[number] = added(counted[number], count(look.grids[number], values))
        kept = rows.filter(pa.array(row_draws(batch) <= look.share * 2.0**64))
        yield kept.append_column("counted", pa.nulls(kept.num_rows, pa.binary()))
    last = {name: pa.nulls(1, look.gives.field(name).type) for name in look.gives.names}
    yield pa.RecordBatch.from_pydict({**last, "counted": pa.array([packed(counted)], pa.binary())}, look.gives)


def _as_scored(look: Look, batch: pa.RecordBatch, scored: pa.RecordBatch) -> pa.RecordBatch:
    columns = narrow(batch, tuple(name for name in look.columns if name != SCORE))
    facts = {
        "draw": pa.array(row_draws(batch).view(np.int64)),
        "buyer_group": pa.array(buyer_groups(batch["account_id"])),
        **{name: columns[name] for name in columns.schema.names},
        SCORE: scored["score"].cast(pa.float32()),
    }
    return pa.RecordBatch.from_pydict(facts, look.kept)
