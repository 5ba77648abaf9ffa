"""The reference: the lists that the version that ranks a day was evaluated on before it was promoted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from rankloop.contracts.lake import DAY, SCORES
from rankloop.errors import RankloopError
from rankloop.features.catalogue import feature_named
from rankloop.lake.tables import Lake
from rankloop.monitoring.measure.value_bins import Column, Floats, ValueBins, fit_bins
from rankloop.ranking.scored import OURS
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.tracking import training_run
from rankloop.registry.versions import Version
from rankloop.scoring.ranker import load_ranker
from rankloop.scoring.scorer import Scorer, build_scorer
from rankloop.training.record import REFERENCE

SCORE = "score"
"""The column of the score among those that drift is measured of."""
FACTS = (DAY, "shops_own", "control", "buyer_group", "weight", OURS)


class IncomparableVersionError(RankloopError):
    """A version that no day can be compared with."""


@dataclass(frozen=True)
class Reference:
    """The rows of the lists that a day's are compared with, and the model, which can be sent to other processes."""

    version: int
    scorer: Scorer
    table: pa.Table

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that drift is measured of: the model's features, then its score."""
        return (*(name for name in self.scorer.features if not _same_all_day(name)), SCORE)

    def values(self, column: str) -> Column:
        """Return a column as it was scored, missing values as NaN."""
        kept = self.table[OURS if column == SCORE else column]
        return np.asarray(kept.to_numpy(zero_copy_only=False), dtype=np.float32)

    @cached_property
    def weights(self) -> Floats:
        """Return how many impressions each row stands for."""
        return np.asarray(self.table["weight"].to_numpy(zero_copy_only=False), dtype=np.float64)

    @cached_property
    def days(self) -> npt.NDArray[Any]:
        """The day of each row."""
        return np.asarray(self.table[DAY].to_numpy(zero_copy_only=False))

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """The group of each row's buyer."""
        return np.asarray(self.table["buyer_group"].to_numpy(zero_copy_only=False))

    @cached_property
    def bins(self) -> tuple[ValueBins, ...]:
        """Return the bins of each column."""
        return tuple(fit_bins(self.values(column), self.weights) for column in self.columns)

    @cached_property
    def by_day(self) -> tuple[Floats, ...]:
        """Return, by column, the weight of its values in each cell, a row for each day."""
        days, day = np.unique(self.days, return_inverse=True)
        return tuple(
            np.bincount(day * bins.size + bins.cells(self.values(column)), self.weights, len(days) * bins.size)
            .astype(np.float64)
            .reshape(len(days), bins.size)
            for column, bins in zip(self.columns, self.bins, strict=True)
        )


def ranking_version(lake: Lake, day: date, champion: Callable[[], Version | None]) -> int | None:
    """Return the version that ranked the batch as of a day; where none was published, the champion, if there is one."""
    for batch in lake.batches(SCORES, day, columns=["version"]):
        if batch.num_rows:
            return batch["version"][0].as_py()  # type: ignore[no-any-return]
    current = champion()
    return None if current is None else current.number


def _same_all_day(name: str) -> bool:
    """Return whether the date alone decides a feature: one day against many has always drifted."""
    feature = feature_named(name)
    return feature is not None and feature.same_all_day


def load_reference(registry: Registry, number: int, control_share: float) -> Reference:
    """Return what a version was judged on: lists that the shop ranked, of the control group where there is one."""
    ranker = load_ranker(registry, number)
    run = training_run(registry, versions.version(registry, number).run_id)
    with TemporaryDirectory() as folder:
        table = pq.read_table(run.get_file(REFERENCE, Path(folder) / REFERENCE))
    if missing := [name for name in FACTS if name not in table.column_names]:
        raise IncomparableVersionError(
            f"the reference of version {number} lacks {', '.join(missing)}: an earlier Rankloop wrote it, and drift "
            "cannot be measured against it. Clear the task `register` of its training, which writes it again."
        )
    of = "control" if control_share > 0 else "shops_own"
    table = table.filter(table[of])
    if ranker.model is None or not table.num_rows:
        raise IncomparableVersionError(
            f"the reference of version {number} has no list that the shop ranked; nothing can be compared with it."
        )
    return Reference(number, build_scorer(ranker.model, ranker.digest), table)
