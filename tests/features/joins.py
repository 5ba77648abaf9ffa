"""What tests of joins share: lists of all kinds, both joiners, and a task that returns the matrix of a ranker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rankloop.contracts.lake import EVENT_SCHEMAS, SHOWN
from rankloop.features.joining.arrays import ArrayJoiner
from rankloop.features.joining.protocol import LIST_COLUMNS, JoinedRows, Joiner, Matrix
from rankloop.features.joining.sets import SetJoiner
from rankloop.features.joining.store import FeatureStore
from rankloop.lake.tables import Lake
from rankloop.ranking.preprocessing import Learned, prepared
from rankloop.settings import Settings
from tests.features.conftest import DAYS
from tests.features.market import DayOfEvents, instant

JOINERS = (SetJoiner, ArrayJoiner)
STRANGERS, GONE = 3, 5
"""Buyers and products that nobody knows."""
KEYS = ("request_id", "product_id")


def store_of(settings: Settings, **options: Any) -> FeatureStore:  # noqa: ANN401  (families or versions)
    """Return what lists are joined with under these settings."""
    return FeatureStore(Lake(settings.lake_root), settings.features, settings.zone, **options)


def drawn_lists(lived: Mapping[date, DayOfEvents], seed: int) -> pa.Table:
    """Draw lists of any buyers and products at any time, known or not, of any length, whose scores are often equal."""
    random = np.random.default_rng(seed)
    shown = lived[DAYS[1]][SHOWN]
    buyers = np.append(np.unique(shown["account_id"].to_numpy()), np.arange(STRANGERS) + 10**9)
    products = np.append(np.unique(shown["product_id"].to_numpy()), np.arange(GONE) + 10**9)
    rows = []
    for number in range(40):
        buyer, moment = int(random.choice(buyers)), instant(DAYS[2], int(random.integers(0, 24)))
        # In few digits scores are often equal, and in seven some are a half where they are rounded.
        digits = int(random.choice([1, 7]))
        surface = str(random.choice(["home", "category", "search"]))
        rows += [
            {
                "request_id": f"q{number}",
                "account_id": buyer,
                "product_id": int(product),
                "ts": moment + timedelta(milliseconds=int(random.integers(0, 999))),
                "surface": surface,
                "base_score": round(float(random.random()), digits),
            }
            for product in random.choice(products, random.integers(1, 60), replace=False)
        ]
    # What a buyer was really shown is among what is known of the buyer; the rest mostly is not.
    drawn = pa.Table.from_pylist(rows, pa.schema([EVENT_SCHEMAS[SHOWN].field(name) for name in LIST_COLUMNS]))
    return pa.concat_tables([drawn, shown.slice(seed * 500, 1500).select(LIST_COLUMNS)])


@dataclass(frozen=True)
class CollectMatrix:
    """Returns the matrix that a ranker gets, with the keys of its rows and their rank by the shop's own score."""

    features: tuple[str, ...]
    learned: Mapping[str, Learned] = field(default_factory=dict)

    @property
    def columns(self) -> pa.Schema:
        """Return the keys and the rank."""
        return pa.schema({"request_id": pa.string(), "product_id": pa.int64(), "context_base_rank": pa.int64()})

    @property
    def result(self) -> pa.Schema:
        """Return the same, and the matrix column by column."""
        return pa.schema([*KEYS_SCHEMA, ("base_rank", pa.int64()), *((f"m_{n}", pa.float32()) for n in self.features)])

    def transform(self, feature: str, values: Matrix) -> Matrix:
        """Clip and impute the features of which something was learned."""
        return prepared(values, self.learned[feature]) if self.learned else values

    def start_thread(self) -> None:
        """Do nothing."""

    def run(self, joined: Iterator[JoinedRows]) -> Iterator[pa.RecordBatch]:
        """Yield the matrix of all rows."""
        for columns, blocks in joined:
            matrix = np.concatenate([np.empty((0, len(self.features)), np.float32), *(b.copy() for b in blocks)])
            own = [columns[name].combine_chunks() for name in self.columns.names]
            yield pa.RecordBatch.from_arrays([*own, *(pa.array(column) for column in matrix.T)], schema=self.result)


KEYS_SCHEMA = [("request_id", pa.string()), ("product_id", pa.int64())]


def matrix_of(
    joiner: Joiner, features: Sequence[str], learned: Mapping[str, Learned] | None = None
) -> tuple[Matrix, list[int]]:
    """Return what a ranker gets of the lists, and the ranks by the shop's own score, in the order of the keys."""
    task = CollectMatrix(tuple(features), learned or {})
    tables = [task.result.empty_table(), *joiner.map_rows(task)]
    rows = pa.concat_tables(tables).sort_by([(key, "ascending") for key in KEYS]).combine_chunks()
    columns = [rows[f"m_{name}"].to_numpy() for name in features]
    return np.array(columns, np.float32).reshape(len(columns), -1).T, rows["base_rank"].to_pylist()


def same_bits(first: Matrix, second: Matrix) -> bool:
    """Return whether two matrices are alike to the last bit, whichever NaN stands for what is unknown."""
    first, second = (np.where(np.isnan(one), np.float32(np.nan), one) for one in (first, second))
    return first.shape == second.shape and np.array_equal(
        np.ascontiguousarray(first).view(np.uint32), np.ascontiguousarray(second).view(np.uint32)
    )
