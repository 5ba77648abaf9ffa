"""Two versions side by side, on the newest test lists that either was judged on."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from rankloop.errors import RankloopError
from rankloop.ranking.comparison import Bootstrap, Comparison, compare
from rankloop.ranking.model import load_model
from rankloop.ranking.scored import CHAMPION, scored_lists
from rankloop.registry import versions
from rankloop.registry.connection import Registry
from rankloop.registry.versions import Version
from rankloop.settings import Settings
from rankloop.training.record import open_record
from rankloop.training.scoring import scores


class NothingToCompareError(RankloopError):
    """Two versions that cannot be held against each other."""


@dataclass(frozen=True)
class Pair:
    """Two versions, and what the newer does that the older does not."""

    older: Version
    newer: Version
    comparison: Comparison


def compare_versions(settings: Settings, one: int, other: int) -> Pair:
    """The newer of the two against the older, both on the lists that the newer was tested on."""
    if one == other:
        raise NothingToCompareError(f"version {one} is the same as itself: name two versions.")
    pair = [versions.version(Registry(settings.mlflow), number) for number in (one, other)]
    older, newer = sorted(pair, key=lambda version: (version.as_of, version.number))
    training = open_record(settings, newer.run_id)
    table = training.scored().of_sets(*training.tests).table
    with TemporaryDirectory() as folder:
        model = load_model(versions.load(Registry(settings.mlflow), older, Path(folder) / "older"))
    table = table.append_column(CHAMPION, pa.array(scores(model, training.data, training.tests)))
    gate = settings.gate
    bootstrap = Bootstrap(gate.resamples, gate.confidence, gate.seed, gate.resample_by)
    lists, top = scored_lists(table), gate.top_categories
    compared = compare(lists, bootstrap, sets=training.tests, names=training.metrics, top_categories=top)
    return Pair(older, newer, compared)
