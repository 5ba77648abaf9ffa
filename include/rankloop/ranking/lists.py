"""A day's training lists: what was shown, its labels, and every feature as of the day before.

`training/lists` has a row a product shown in a list that is kept, list after list; `training/counts` says what there
was before idle lists were left out. Both are a pure function of the day.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rankloop.calendar import days_between
from rankloop.contracts.lake import DAY, EVENT_SCHEMAS, PRODUCTS, REACTIONS, SHOWN
from rankloop.contracts.marketplace import TIMESTAMP
from rankloop.engine.protocol import Engine
from rankloop.features.build import BuildResult
from rankloop.features.catalogue import BUILT_IN, Catalogue
from rankloop.features.declarations import CATEGORY
from rankloop.features.families import product
from rankloop.features.joining.joiners import joiner_for
from rankloop.features.joining.protocol import BuyerShard
from rankloop.features.joining.sets import left_join_lookup
from rankloop.features.joining.store import FeatureStore
from rankloop.features.partitions import day_definitions
from rankloop.lake.commits import TableCommit, WriteResult
from rankloop.lake.tables import Lake
from rankloop.ranking.labels import REACHED, counted, kept, labelled
from rankloop.ranking.parts import CATEGORY_SEGMENT, SEGMENTS, category_segment, segment_columns
from rankloop.ranking.windows import DaysMissingError
from rankloop.settings.training import TrainingSettings

LISTS, COUNTS = "training/lists", "training/counts"
FORMAT = 1
"""Raised with every change of what these rows mean, so that days made before are made again."""
PORTION_ROWS = 1 << 19
"""Rows put in order at a time: about 300 MB. Part of what the table is, since it decides the order of its lists."""
BATCH_ROWS = 1 << 16
OWN = {
    "request_id": pa.string(),
    "account_id": pa.int64(),
    "product_id": pa.int64(),
    "ts": TIMESTAMP,
    "surface": pa.string(),
    "policy": pa.string(),
    "position": pa.int32(),
    "base_score": pa.float64(),
    "label": pa.int8(),
    "weight": pa.float64(),
}


def lists_schema(catalogue: Catalogue) -> pa.Schema:
    """Return the columns of `training/lists` with the features of a catalogue."""
    features = ((feature.name, pa.float32()) for feature in catalogue.features)
    return pa.schema([(DAY, pa.date32()), *OWN.items(), *((name, pa.string()) for name in SEGMENTS), *features])


LISTS_SCHEMA = lists_schema(BUILT_IN)
SHOWN_KEPT = "shown_kept"
COUNTED = ("lists", "lists_with_reaction", "lists_kept", "shown", *REACHED)
COUNTS_SCHEMA = pa.schema(
    [
        (DAY, pa.date32()),
        *((name, pa.int64()) for name in COUNTED),
        ("lists_digest", pa.string()),
        ("inputs", pa.string()),
    ]
)


@dataclass(frozen=True)
class PreparedLists:
    """The result of preparing a day's lists."""

    facts: BuildResult
    counts: dict[str, int]
    skipped: bool
    """Whether the day was written already, from the same inputs."""

    def summary(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {**self.facts.summary(), "counts": self.counts, "skipped": self.skipped}


def prepare_lists(
    store: FeatureStore,
    training: TrainingSettings,
    engine: Callable[[], Engine],
    day: date,
    *,
    again: bool = False,
) -> PreparedLists:
    """Write `training/lists` and `training/counts` of a day, unless they were written from the same inputs.

    `engine` is called only if they are written: most days of a training were prepared by an earlier one. `again` writes
    them anyway.
    """
    lake, inputs = store.lake, _inputs_digest(store, training, day)
    if not again and (existing := _existing(lake, day, inputs)):
        return existing
    lists, counts = _write_lists(store, training, engine(), day)
    # The counts come last and name the lists' digest, so counts that fit mean lists that are complete.
    note = {**counts, "lists_digest": lists.digest, "inputs": inputs}
    table = pa.table({name: [value] for name, value in note.items()}, schema=COUNTS_SCHEMA.remove(0))
    noted = lake.replace_day(COUNTS, day, table, COUNTS_SCHEMA)
    return PreparedLists(BuildResult(day, (day,), (lists, noted)), counts, skipped=False)


def _write_lists(
    store: FeatureStore, training: TrainingSettings, engine: Engine, day: date
) -> tuple[WriteResult, dict[str, int]]:
    engine.release()  # what the day before materialised
    lake, share = store.lake, training.idle_share
    rows = _rows(engine, training, lake, day)
    schema = pa.schema([(name, pa.int64()) for name in (*COUNTED, SHOWN_KEPT)])
    [counts] = engine.batches(counted(rows, share), schema).read_all().to_pylist()
    portions = max(1, -(-counts.pop(SHOWN_KEPT) // PORTION_ROWS))
    lists = list_columns(engine, lake, kept(rows, share), day)
    batches = _batches(engine, store, training, lists, day, portions)
    definitions = day_definitions(lake, store.settings, store.zone, day - timedelta(days=1))
    return lake.replace_day(LISTS, day, batches, lists_schema(store.catalogue), definitions), counts


def _existing(lake: Lake, day: date, inputs: str) -> PreparedLists | None:
    if day not in lake.days(COUNTS):
        return None
    [noted] = lake.read(COUNTS, [day]).to_pylist()
    lists, counts = (last_commit(lake, table, day) for table in (LISTS, COUNTS))
    if noted["inputs"] != inputs or lists is None or counts is None or lists.digest != noted["lists_digest"]:
        return None
    written = tuple(
        WriteResult(table, day, commit.number, commit.rows or 0, commit.digest or "")
        for table, commit in ((LISTS, lists), (COUNTS, counts))
    )
    return PreparedLists(BuildResult(day, (day,), written), {name: noted[name] for name in COUNTED}, skipped=True)


def last_commit(lake: Lake, table: str, day: date, version: int | None = None) -> TableCommit | None:
    """Return the commit that last replaced a day of a table, up to a version."""
    commits = (entry for entry in lake.versions(table) if version is None or entry.number <= version)
    return next((entry for entry in commits if entry.day == day), None)


def input_partitions(store: FeatureStore, training: TrainingSettings, day: date) -> dict[str, list[date]]:
    """Return, by table, the days that a day's lists are built from."""
    before = day - timedelta(days=1)
    seen = days_between(before - timedelta(days=store.settings.seen_days - 1), before)
    return {
        SHOWN: [day, *seen],
        REACTIONS: _label_days(training, day),
        **{builder.spec.name: [before] for builder in store.catalogue.as_of},
    }


def _inputs_digest(store: FeatureStore, training: TrainingSettings, day: date) -> str:
    """Return the digest of all that a day is built from: every partition that is read, and the settings that count."""
    digests = {}
    for table, days in input_partitions(store, training, day).items():
        digests[table] = {str(other): digest for other, digest in store.lake.digests(table, days).items()}
    shape = {
        "format": FORMAT,
        "features": list(store.catalogue.feature_names),
        "timezone": store.zone.key,
        "settings": store.settings.model_dump(mode="json", include={"seen_days"}),
        "training": training.model_dump(mode="json", include={"label_hours", "idle_share", "cold_shown"}),
    }
    return hashlib.sha256(json.dumps([shape, digests], sort_keys=True).encode()).hexdigest()[:32]


def _label_days(training: TrainingSettings, day: date) -> list[date]:
    return list(days_between(day, day + timedelta(days=training.label_days)))


def _rows(engine: Engine, training: TrainingSettings, lake: Lake, day: date) -> ir.Table:
    """Return everything shown on the day, with labels."""
    reacted = _label_days(training, day)
    # A small shop may have a day without lists or reactions, but none without a catalogue.
    for table, days in ((PRODUCTS, reacted), (product.TABLE.name, [day - timedelta(days=1)])):
        if missing := sorted(set(days) - set(lake.days(table))):
            raise DaysMissingError(
                f"the training lists of {day} need {table} of {', '.join(map(str, missing))}, which is not there. "
                "Run daily_features for those days first (clear its tasks, or backfill)."
            )
    shown = engine.read(lake.files(SHOWN, [day]), EVENT_SCHEMAS[SHOWN])
    reactions = engine.read(lake.files(REACTIONS, reacted), EVENT_SCHEMAS[REACTIONS])
    return labelled(shown, reactions, training.label_hours)


def list_columns(engine: Engine, lake: Lake, rows: ir.Table, day: date) -> ir.Table:
    """Return the lists' own columns, without features."""
    goods = engine.read(lake.files(product.TABLE.name, [day - timedelta(days=1)]), product.TABLE.schema)
    known = left_join_lookup(rows, goods, {"product_id": "product_id"}, (CATEGORY,))
    return known.select(
        **{name: known[name].cast("int64") if name == "label" else known[name] for name in OWN},
        **{CATEGORY_SEGMENT: category_segment(known[CATEGORY.name])},
    )


def _batches(  # noqa: PLR0913, PLR0917  (what is joined, with what, and in how many pieces)
    engine: Engine, store: FeatureStore, training: TrainingSettings, lists: ir.Table, day: date, portions: int
) -> pa.RecordBatchReader:
    before = day - timedelta(days=1)
    # Portions are kept by being split; a day in one piece is small.
    lists = lists if portions > 1 else engine.materialise(lists)
    schema = lists_schema(store.catalogue).remove(0)

    def ordered() -> Iterator[pa.RecordBatch]:
        for number in range(portions):
            shard = BuyerShard(number, portions)
            rows = joiner_for(engine, store, lists, before, shard=shard).rows(store.catalogue.feature_names)
            yield from _ordered((_narrow(training, batch, schema) for batch in rows), schema)

    return pa.RecordBatchReader.from_batches(schema, ordered())


def _ordered(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows list by list, by position; a few at a time, so that they are in memory only once."""
    table = pa.Table.from_batches(batches, schema)
    order = pc.sort_indices(table, [("request_id", "ascending"), ("position", "ascending")])
    for start in range(0, table.num_rows, BATCH_ROWS):
        yield from table.take(order.slice(start, BATCH_ROWS)).to_batches()


def _narrow(training: TrainingSettings, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with its segments, and with numbers as narrow as rankers take them."""
    columns = {**dict(zip(batch.schema.names, batch.columns, strict=True)), **segment_columns(training, batch)}
    return pa.RecordBatch.from_arrays(
        [pc.cast(columns[field.name], field.type, safe=not pa.types.is_float32(field.type)) for field in schema],
        schema=schema,
    )
