"""Compares two model versions on the newest test lists that either was evaluated on."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from rankloop.context import Context
from rankloop.errors import RankloopError
from rankloop.ranking.comparison import Bootstrap, Comparison, compare
from rankloop.ranking.model import load_model
from rankloop.ranking.scored import CHAMPION, scored_lists
from rankloop.registry import versions
from rankloop.registry.versions import Version
from rankloop.training.record import open_record
from rankloop.training.scoring import model_scores


class NothingToCompareError(RankloopError):
    """Two versions that cannot be compared."""


@dataclass(frozen=True)
class VersionPair:
    """Two versions, and how the newer compares with the older."""

    older: Version
    newer: Version
    comparison: Comparison


def compare_versions(context: Context, first: int, second: int) -> VersionPair:
    """Compare the newer version with the older, both on the lists that the newer was tested on."""
    if first == second:
        raise NothingToCompareError(f"version {first} was given twice: name two versions.")
    pair = [versions.version(context.registry, number) for number in (first, second)]
    older, newer = sorted(pair, key=lambda version: (version.as_of, version.number))
    training = open_record(context.registry, context.lake, newer.run_id)
    table = training.scored().of_sets(*training.tests).table
    with TemporaryDirectory() as folder:
        model = load_model(versions.load(context.registry, older, Path(folder) / "older"))
    table = table.append_column(CHAMPION, pa.array(model_scores(model, training.data, training.tests)))
    gate = context.settings.gate
    bootstrap = Bootstrap(gate.resamples, gate.confidence, gate.seed, gate.resample_by)
    lists, top = scored_lists(table), gate.top_categories
    compared = compare(lists, bootstrap, sets=training.tests, names=training.metrics, top_categories=top)
    return VersionPair(older, newer, compared)
