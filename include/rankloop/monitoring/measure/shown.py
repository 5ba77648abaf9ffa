"""The lists that buyers were shown on a day, with their labels, their segments and a model's scores.

Unlike `training/lists` these hold idle lists too, each once, so that a CTR is not that of a sample; and they can be had
before any reaction is in. Of a day that shows more products than `SAMPLE_ROWS`, the lists of some buyers stand for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, REACTIONS, SHOWN
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.engine.opening import open_engine
from rankloop.engine.protocol import Engine, count_rows
from rankloop.experiment import is_control
from rankloop.features.build import lake_of
from rankloop.features.joining.rows import rows_with
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.sums import HOURS
from rankloop.ranking.labels import labelled
from rankloop.ranking.lists import own_columns
from rankloop.ranking.metrics import Ints, Tally
from rankloop.ranking.model import Model
from rankloop.ranking.parts import CATEGORY_SEGMENT, SEGMENTS, segment_columns
from rankloop.ranking.scored import OURS, ScoredLists, scored_lists
from rankloop.scoring.ranker import policy_of, version_of
from rankloop.scoring.shelf import narrow
from rankloop.settings import Settings

SAMPLE_ROWS = 1 << 19
"""Products shown that are joined with features in one go: about a gigabyte, and some ten thousand lists."""
TOLD = ("request_id", "account_id", "product_id", "policy", "position", "label", "weight", "base_score")
OF_SEGMENTS = (
    "buyer_account_age",
    "buyer_active_days_28d",
    "product_shown_28d",
    "buyer_city_tier",
    "product_price_quartile",
)
"""The features that `segment_columns` asks for."""
SET = "shown"

Which = Callable[[ir.Table], ir.BooleanValue]
"""Says which products shown are meant."""


def by_version(number: int) -> Which:
    """What this version ranked."""
    return lambda shown: shown["policy"] == policy_of(number)


def by_the_shop(shown: ir.Table) -> ir.BooleanValue:
    """What the shop ranked itself."""
    return shown["policy"] == BASE_POLICY


def by_us(shown: ir.Table) -> ir.BooleanValue:
    """What versions of ours ranked."""
    return shown["policy"] != BASE_POLICY


def by_anybody(shown: ir.Table) -> ir.BooleanValue:
    """Everything."""
    return shown["policy"].notnull()


def versions_shown(settings: Settings, day: date) -> list[int]:
    """The versions whose rankings buyers were shown on a day, that of the most lists first."""
    lake = lake_of(settings)
    with open_engine(settings.features) as engine:
        shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
        counted = shown.group_by("policy").agg(lists=shown["request_id"].nunique())
        schema = pa.schema({"policy": pa.string(), "lists": pa.int64()})
        found = engine.batches(counted, schema).read_all().to_pylist()
    numbered = ((-row["lists"], version_of(row["policy"])) for row in found)
    return [number for _, number in sorted((lists, number) for lists, number in numbered if number is not None)]


def shown_lists(
    settings: Settings, day: date, which: Which, models: Mapping[str, Model], *, judged: bool = True
) -> ScoredLists:
    """The lists of a day, each whole and in the order shown, with a column for the scores of each of these models.

    Not `judged`, all labels are 0: before the day after is in the lake nobody can tell them.
    """
    lake = lake_of(settings)
    with open_engine(settings.features) as engine:
        lists = engine.materialise(_lists(engine, lake, day, which, judged=judged))
        wanted = sorted({*OF_SEGMENTS, *(name for model in models.values() for name in model.features)})
        batches = rows_with(engine, settings, lists, day - timedelta(days=1), wanted)
        table = pa.Table.from_batches(_narrowed(settings, batches, day, models), _schema(models))
    return scored_lists(table.sort_by([("request_id", "ascending"), ("position", "ascending")]))


def _lists(engine: Engine, lake: Lake, day: date, which: Which, *, judged: bool) -> ir.Table:
    shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    shown = shown.filter(which(shown))
    if (many := -(-count_rows(engine, shown) // SAMPLE_ROWS)) > 1:
        shown = shown.filter(shown["account_id"] % many == 0)
    if judged:
        reactions = engine.read(lake.files(REACTIONS, [day, day + timedelta(days=1)]), EVENT_SCHEMAS[REACTIONS])
        rows = labelled(shown, reactions, HOURS)
    else:
        rows = shown.mutate(label=ibis.literal(0))
    return own_columns(engine, lake, rows.mutate(weight=ibis.literal(1.0)), day)


def _schema(models: Iterable[str]) -> pa.Schema:
    words = {"request_id", "policy"}
    kinds = {"position": pa.int64(), "label": pa.int64(), "weight": pa.float64(), "base_score": pa.float64()}
    told = [(name, pa.string() if name in words else kinds.get(name, pa.int64())) for name in TOLD]
    parts = [(name, pa.string()) for name in SEGMENTS]
    return pa.schema(
        [("set", pa.string()), (DAY, pa.date32()), *told, *parts, *((name, pa.float64()) for name in models)]
    )


def _narrowed(
    settings: Settings, batches: Iterator[pa.RecordBatch], day: date, models: Mapping[str, Model]
) -> Iterator[pa.RecordBatch]:
    """What judging needs of the rows; their features stay behind."""
    schema = _schema(models)
    for batch in batches:
        columns: dict[str, Any] = {
            "set": pa.array([SET] * batch.num_rows, pa.string()),
            DAY: pa.array([day] * batch.num_rows, pa.date32()),
            **{name: batch[name] for name in TOLD},
            CATEGORY_SEGMENT: batch[CATEGORY_SEGMENT],
            **segment_columns(settings.training, batch),
            **{name: pa.array(model.score(narrow(batch, model.features))) for name, model in models.items()},
        }
        yield pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def of_policy(lists: ScoredLists, policy: str) -> ScoredLists:
    """Those that were ranked by this policy."""
    return lists.take(lists.of_list("policy").astype(str) == policy)


def personalised(lists: ScoredLists, control_share: float) -> ScoredLists:
    """Those of buyers who are not control."""
    return lists.take(~is_control(lists.of_list("account_id").astype(np.int64), control_share))


def as_shown(lists: ScoredLists) -> ScoredLists:
    """The same lists, whose `pscore` says no more than the order in which they were shown."""
    place = lists.table.column_names.index(OURS)
    order = pa.array(-lists.table["position"].to_numpy().astype(np.float64))
    return ScoredLists(lists.table.set_column(place, OURS, order), lists.first, lists.sizes)


def buyers_of(lists: ScoredLists) -> Ints:
    """By list, the number of its buyer among all of them."""
    return np.asarray(np.unique(lists.of_list("account_id").astype(np.int64), return_inverse=True)[1])


def against_nothing(tally: Tally) -> Tally:
    """What a comparison is made with for the interval of a metric itself."""
    return Tally(tally.names, np.zeros_like(tally.part), tally.whole)
