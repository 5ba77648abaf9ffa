"""Reads the lists that buyers were shown on a day, with their labels, their segments and a model's scores.

Unlike `training/lists` these hold idle lists too, each once, so that a CTR is not that of a sample; and they can be had
before any reaction is in. Of a day that shows more products than `SAMPLE_ROWS`, the lists of some buyers stand for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from rankloop.context import Context
from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, REACTIONS, SHOWN
from rankloop.contracts.marketplace import BASE_POLICY
from rankloop.engine.protocol import Engine, count_rows
from rankloop.experiment import is_control
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.buyer_totals import HOURS
from rankloop.ranking.labels import labelled
from rankloop.ranking.lists import list_columns
from rankloop.ranking.metrics import Ints, Tally
from rankloop.ranking.model import Model
from rankloop.ranking.parts import CATEGORY_SEGMENT, SEGMENTS, segment_columns
from rankloop.ranking.scored import OURS, ScoredLists, scored_lists
from rankloop.scoring.ranker import policy_name, version_of_policy
from rankloop.scoring.scorer import as_float32
from rankloop.settings.training import TrainingSettings

SAMPLE_ROWS = 1 << 19
"""Products shown that are joined with features in one go: about a gigabyte, and some ten thousand lists."""
LIST_FIELDS = ("request_id", "account_id", "product_id", "policy", "position", "label", "weight", "base_score")
OF_SEGMENTS = (
    "buyer_account_age",
    "buyer_active_days_28d",
    "product_shown_28d",
    "buyer_city_tier",
    "product_price_quartile",
)
"""The features that `segment_columns` asks for."""
SET = "shown"

ListFilter = Callable[[ir.Table], ir.BooleanValue]
"""Says which impressions are meant."""


def lists_of_version(number: int) -> ListFilter:
    """Return the filter of what this version ranked."""
    return lambda shown: shown["policy"] == policy_name(number)


def base_lists(shown: ir.Table) -> ir.BooleanValue:
    """Return what the shop ranked itself."""
    return shown["policy"] == BASE_POLICY


def lists_of_models(shown: ir.Table) -> ir.BooleanValue:
    """Return what versions of ours ranked."""
    return shown["policy"] != BASE_POLICY


def all_lists(shown: ir.Table) -> ir.BooleanValue:
    """Return everything."""
    return shown["policy"].notnull()


@dataclass(frozen=True)
class ListReader:
    """Reads the lists that buyers were shown."""

    engine: Engine
    lake: Lake
    store: FeatureStore
    training: TrainingSettings
    """What the segments are made by."""

    def versions(self, day: date) -> list[int]:
        """Return the versions whose rankings buyers were shown on a day, that of the most lists first."""
        shown = self.engine.read(self.lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
        lists_by_policy = shown.group_by("policy").agg(lists=shown["request_id"].nunique())
        schema = pa.schema({"policy": pa.string(), "lists": pa.int64()})
        rows = self.engine.batches(lists_by_policy, schema).read_all().to_pylist()
        numbered = ((-row["lists"], version_of_policy(row["policy"])) for row in rows)
        return [number for _, number in sorted((lists, number) for lists, number in numbered if number is not None)]

    def lists(self, day: date, which: ListFilter, models: Mapping[str, Model], *, labelled: bool = True) -> ScoredLists:
        """Return the lists of a day, complete and in the order shown, with the scores of each of these models.

        Not `labelled`, all labels are 0: they are not known before the day after is in the lake.
        """
        rows = self.engine.materialise(_impressions(self.engine, self.lake, day, which, labels=labelled))
        wanted = sorted({*OF_SEGMENTS, *(name for model in models.values() for name in model.features)})
        joined = joiner_for(self.engine, self.store, rows, day - timedelta(days=1)).rows(wanted)
        table = pa.Table.from_batches(_scored_rows(self.training, joined, day, models), _schema(models))
        return scored_lists(table.sort_by([("request_id", "ascending"), ("position", "ascending")]))


def open_list_reader(context: Context) -> ListReader:
    """Return the reader of a task's lake."""
    return ListReader(context.engine, context.lake, context.feature_store, context.settings.training)


def _impressions(engine: Engine, lake: Lake, day: date, which: ListFilter, *, labels: bool) -> ir.Table:
    shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    shown = shown.filter(which(shown))
    if (many := -(-count_rows(engine, shown) // SAMPLE_ROWS)) > 1:
        shown = shown.filter(shown["account_id"] % many == 0)
    if labels:
        reactions = engine.read(lake.files(REACTIONS, [day, day + timedelta(days=1)]), EVENT_SCHEMAS[REACTIONS])
        rows = labelled(shown, reactions, HOURS)
    else:
        rows = shown.mutate(label=ibis.literal(0))
    return list_columns(engine, lake, rows.mutate(weight=ibis.literal(1.0)), day)


def _schema(models: Iterable[str]) -> pa.Schema:
    words = {"request_id", "policy"}
    kinds = {"position": pa.int64(), "label": pa.int64(), "weight": pa.float64(), "base_score": pa.float64()}
    fields = [(name, pa.string() if name in words else kinds.get(name, pa.int64())) for name in LIST_FIELDS]
    parts = [(name, pa.string()) for name in SEGMENTS]
    return pa.schema(
        [("set", pa.string()), (DAY, pa.date32()), *fields, *parts, *((name, pa.float64()) for name in models)]
    )


def _scored_rows(
    training: TrainingSettings, batches: Iterator[pa.RecordBatch], day: date, models: Mapping[str, Model]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their segments and scores, without the features, which metrics do not need."""
    schema = _schema(models)
    for batch in batches:
        columns: dict[str, Any] = {
            "set": pa.array([SET] * batch.num_rows, pa.string()),
            DAY: pa.array([day] * batch.num_rows, pa.date32()),
            **{name: batch[name] for name in LIST_FIELDS},
            CATEGORY_SEGMENT: batch[CATEGORY_SEGMENT],
            **segment_columns(training, batch),
            **{name: pa.array(model.score(as_float32(batch, model.features))) for name, model in models.items()},
        }
        yield pa.RecordBatch.from_arrays([columns[f.name].cast(f.type) for f in schema], schema=schema)


def with_policy(lists: ScoredLists, policy: str) -> ScoredLists:
    """Return the lists that this policy ranked."""
    return lists.take(lists.of_list("policy").astype(str) == policy)


def without_control(lists: ScoredLists, control_share: float) -> ScoredLists:
    """Return the lists of buyers outside the control group."""
    return lists.take(~is_control(lists.of_list("account_id").astype(np.int64), control_share))


def in_shown_order(lists: ScoredLists) -> ScoredLists:
    """Return the same lists, with scores that follow the order in which they were shown."""
    place = lists.table.column_names.index(OURS)
    order = pa.array(-lists.table["position"].to_numpy().astype(np.float64))
    return ScoredLists(lists.table.set_column(place, OURS, order), lists.first, lists.sizes)


def buyer_numbers(lists: ScoredLists) -> Ints:
    """Return by list the number of its buyer among all of them."""
    return np.asarray(np.unique(lists.of_list("account_id").astype(np.int64), return_inverse=True)[1])


def zero_parts(tally: Tally) -> Tally:
    """Return metric parts of zero: compared with them, the interval is that of a metric itself."""
    return Tally(tally.names, np.zeros_like(tally.part), tally.whole)
