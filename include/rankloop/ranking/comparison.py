"""Challenger against champion on the same lists, with how sure each difference is.

A paired bootstrap: lists are drawn with replacement, the same ones for both rankings, and each metric's difference is
computed again. What varies between lists then cancels, and only the difference of the rankings is left in the interval.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from rankloop.ranking.metrics import NAMES, Floats, Ints, Tally, divide, tally
from rankloop.ranking.scored import BASE, CHAMPION, OURS, TESTS, ScoredLists, ScoredListsError
from rankloop.ranking.segments import TOP_CATEGORIES, segment_tallies, segments

ALL = "all"
AT_ONCE = 2_000_000  # draws held at a time: a few tens of megabytes, whatever the number of lists and resamples


@dataclass(frozen=True)
class Bootstrap:
    """How differences are resampled. The same seed gives the same intervals.

    By `buyer`, all lists of a buyer are drawn together: wider, and right where a buyer's lists resemble each other.
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 7
    by: Literal["list", "buyer"] = "list"


@dataclass(frozen=True)
class Delta:
    """One metric of both rankings on the same lists. `lists` is how many have it; figures are NaN where none has."""

    segment: str
    metric: str
    lists: int
    champion: float
    challenger: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Comparison:
    """How much the challenger differs from the champion, metric by metric, over all lists and by segment."""

    champion: str
    challenger: str
    sets: tuple[str, ...]
    lists: int
    bootstrap: Bootstrap
    deltas: tuple[Delta, ...]

    def of(self, metric: str, segment: str = ALL) -> Delta:
        """One metric, over all lists or a segment's such as `product=cold`."""
        return next(delta for delta in self.deltas if (delta.segment, delta.metric) == (segment, metric))

    def overall(self) -> tuple[Delta, ...]:
        """Each metric over all lists."""
        return tuple(delta for delta in self.deltas if delta.segment == ALL)

    def by_segment(self, metric: str) -> tuple[Delta, ...]:
        """One metric in each segment."""
        return tuple(delta for delta in self.deltas if delta.metric == metric and delta.segment != ALL)

    def to_json(self) -> str:
        """Return the comparison as JSON, with null for every unknown figure."""
        return as_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Comparison":
        """Return the comparison that `to_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        deltas = tuple(delta_of(delta) for delta in read["deltas"])
        bootstrap = Bootstrap(**read["bootstrap"])
        return cls(**{**read, "sets": tuple(read["sets"]), "bootstrap": bootstrap, "deltas": deltas})


def as_json(value: Any) -> str:  # noqa: ANN401  (whatever JSON can hold)
    """Plain values as JSON, in which a figure that is not known is null: JSON has no NaN."""
    return json.dumps(_nulls(value), indent=1, allow_nan=False)


def delta_of(read: Mapping[str, Any]) -> Delta:
    """Return the delta that was written as JSON, with NaN for null."""
    figures: dict[str, Any] = {name: math.nan if value is None else value for name, value in read.items()}
    return Delta(**figures)


def compare(
    lists: ScoredLists,
    bootstrap: Bootstrap,
    *,
    sets: Sequence[str] = TESTS,
    names: Sequence[str] = NAMES,
    top_categories: int = TOP_CATEGORIES,
) -> Comparison:
    """`pscore` against the champion's scores, or against `base_score` where there is no champion."""
    lists = lists.of_sets(*sets)
    if not len(lists):
        raise ScoredListsError(
            f"no scored list is of the sets {', '.join(sets)}, so there is nothing to compare on. "
            "Score the test days with champion and challenger first."
        )
    champion = CHAMPION if CHAMPION in lists.table.column_names else BASE
    pair = (OURS, champion)
    ours, theirs = (tally(lists.score(ranking), lists.judged, names) for ranking in pair)
    deltas = _deltas(ALL, ours, theirs, bootstrap, _buyers(lists, bootstrap))
    for segment in segments(lists, top_categories):
        some, tallies = segment_tallies(lists, segment, pair, names)
        deltas += _deltas(segment.name, tallies[OURS], tallies[champion], bootstrap, _buyers(some, bootstrap))
    return Comparison(champion, OURS, tuple(sets), len(lists), bootstrap, tuple(deltas))


def intervals(
    ours: Tally, theirs: Tally, bootstrap: Bootstrap, *, stream: str = ALL, groups: Ints | None = None
) -> tuple[Floats, Floats]:
    """Return the lower and upper bootstrap bound of each metric's difference, ours less theirs.

    `stream` names the draws, so that those of one segment do not depend on which others there are. `groups` says which
    lists are drawn together.
    """
    metrics = len(ours.names)
    # Most metrics share one whole, "the list has a reaction": multiplied once, not once a metric and side.
    wholes, which = np.unique(np.concatenate([ours.whole, theirs.whole], axis=1), axis=1, return_inverse=True)
    columns = np.concatenate([ours.part, theirs.part, wholes], axis=1)
    if groups is not None:
        columns = _summed(columns, groups)
    differences = np.full((bootstrap.resamples, metrics), np.nan)
    random = np.random.default_rng([bootstrap.seed, zlib.crc32(stream.encode())])
    for start, drawn in draws(random, len(columns), bootstrap.resamples):
        sums = drawn @ columns
        share = divide(sums[:, : 2 * metrics], sums[:, 2 * metrics :][:, which])
        differences[start : start + len(sums)] = share[:, :metrics] - share[:, metrics:]
    tail = (1 - bootstrap.confidence) / 2
    bounds = np.full((2, metrics), np.nan)
    known = ~np.isnan(differences).all(axis=0)
    bounds[:, known] = np.nanquantile(differences[:, known], [tail, 1 - tail], axis=0)
    return bounds[0], bounds[1]


def draws(random: np.random.Generator, lists: int, resamples: int) -> Iterator[tuple[int, Floats]]:
    """How often each list (or buyer) is drawn, some resamples at a time; the same whatever is held at a time."""
    if not lists:
        return
    step = max(1, AT_ONCE // lists)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        # A row at a time: of what a call draws and does not use, the generator forgets a part.
        drawn = (random.integers(0, lists, lists, dtype=np.int32) for _ in range(count))
        yield start, np.stack([np.bincount(row, minlength=lists) for row in drawn]).astype(np.float64)


def _deltas(segment: str, ours: Tally, theirs: Tally, bootstrap: Bootstrap, groups: Ints | None) -> list[Delta]:
    lower, upper = intervals(ours, theirs, bootstrap, stream=segment, groups=groups)
    challenger, champion = ours.means(), theirs.means()
    having = (ours.whole > 0).sum(axis=0)
    return [
        Delta(
            segment,
            metric,
            int(having[column]),
            champion[metric],
            challenger[metric],
            challenger[metric] - champion[metric],
            float(lower[column]),
            float(upper[column]),
        )
        for column, metric in enumerate(ours.names)
    ]


def _buyers(lists: ScoredLists, bootstrap: Bootstrap) -> Ints | None:
    if bootstrap.by == "list":
        return None
    return np.asarray(np.unique(lists.of_list("account_id").astype(str), return_inverse=True)[1])


def _summed(sides: Floats, groups: Ints) -> Floats:
    """Sum the rows of each group, column by column."""
    return np.stack([np.bincount(groups, column) for column in sides.T], axis=1)


def _nulls(value: Any) -> Any:  # noqa: ANN401  (likewise)
    if isinstance(value, dict):
        return {name: _nulls(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nulls(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
