"""The reference's table: a row a set and ranking, a column a metric at each k."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from rankloop.ranking.metrics import NAMES, tally
from rankloop.ranking.scored import BASE, CHAMPION, OURS, ScoredLists

# What tables for people call a metric; the reference writes recall and precision small.
TITLES = {"map": "MAP", "recall": "recall", "ndcg": "NDCG", "precision": "precision", "ctr": "CTR"}


@dataclass(frozen=True)
class Row:
    """How good one ranking is on one set. `lists` is what the kept lists stand for, `reacted` those with a reaction."""

    set: str
    ranking: str
    lists: float
    reacted: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """How good each ranking is on each set."""

    rows: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """`map@5` and so on, in the order of the columns."""
        return tuple(self.rows[0].metrics) if self.rows else ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured at each k."""
        return tuple(dict.fromkeys(name.partition("@")[0] for name in self.names))

    @property
    def ks(self) -> tuple[int, ...]:
        """At how many places from the top."""
        return tuple(sorted({int(name.partition("@")[2]) for name in self.names}))

    @classmethod
    def from_rows(cls, read: Sequence[Mapping[str, Any]]) -> "Evaluation":
        """Return the evaluation that `as_rows` gave, read back from JSON; null becomes NaN."""
        known: list[dict[str, Any]] = [
            {name: math.nan if value is None else value for name, value in row.items()} for row in read
        ]
        rows = [
            Row(row.pop("set"), row.pop("ranking"), row.pop("lists"), row.pop("reacted"), dict(row)) for row in known
        ]
        return cls(tuple(rows))

    def of(self, name: str, ranking: str) -> Mapping[str, float]:
        """Return the metrics of one ranking on one set."""
        return next(row.metrics for row in self.rows if (row.set, row.ranking) == (name, ranking))

    def as_rows(self) -> list[dict[str, Any]]:
        """Return the table as plain rows, for a file or MLflow."""
        return [
            {"set": row.set, "ranking": row.ranking, "lists": row.lists, "reacted": row.reacted, **row.metrics}
            for row in self.rows
        ]

    def flat(self) -> dict[str, float]:
        """Each figure under a name of its own, `test_0.pscore.ndcg_at_10`, without those that are unknown."""
        return {
            f"{row.set}.{row.ranking}.{name.replace('@', '_at_')}": value
            for row in self.rows
            for name, value in row.metrics.items()
            if value == value  # noqa: PLR0124  (NaN: trackers refuse it)
        }

    def markdown(self) -> str:
        """Return the table in Markdown."""
        head = ["| set | ranking | " + " | ".join(self._heading(name) for name in self.names) + " |"]
        head.append("| --- | --- |" + " ---: |" * len(self.names))
        body = [
            f"| {row.set} | {row.ranking} | " + " | ".join(figure(row.metrics[name]) for name in self.names) + " |"
            for row in self.rows
        ]
        return "\n".join([*head, *body]) + "\n"

    def terminal(self, width: int) -> Group:
        """Render the table for a terminal, split by metrics into as many pieces as its width needs."""
        column = 6  # a figure and the space beside it
        beside = 4 + max(len(row.set) for row in self.rows) + max(len(row.ranking) for row in self.rows)
        at_once = max(1, (width - beside) // (column * len(self.ks)))
        pieces = [self.metrics[start : start + at_once] for start in range(0, len(self.metrics), at_once)]
        return Group(*(self._piece(piece) for piece in pieces))

    def _heading(self, name: str) -> str:
        metric, k = name.split("@")
        return f"{TITLES[metric]}@{k}" if int(k) == self.ks[0] else f"@{k}"

    def _piece(self, metrics: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        table.add_column("set", no_wrap=True)
        table.add_column("ranking", no_wrap=True)
        names = [f"{metric}@{k}" for metric in metrics for k in self.ks]
        for name in names:
            metric, k = name.split("@")
            first = name == f"{metric}@{self.ks[0]}"
            title = {"precision": "prec.", "recall": "rec."}.get(metric, TITLES[metric])
            table.add_column(f"{title if first else ''}\n@{k}", justify="right", no_wrap=True, min_width=5)
        for row in self.rows:
            table.add_row(row.set, row.ranking, *(figure(row.metrics[name]) for name in names))
        return table


def evaluate(lists: ScoredLists, names: Sequence[str] = NAMES) -> Evaluation:
    """How good the base, ours and, where it is scored, the champion are on each set that there is."""
    rows = []
    for name in lists.sets():
        some = lists.of_sets(name)
        weight, reacted = float(some.weight.sum()), int(some.reacted.sum())
        for ranking in rankings(lists):
            metrics = tally(some.score(ranking), some.judged, names).means()
            rows.append(Row(name, ranking, weight, reacted, metrics))
    return Evaluation(tuple(rows))


def rankings(lists: ScoredLists) -> tuple[str, ...]:
    """Return the names of the rankings that these lists have scores of, ours last."""
    champion = (CHAMPION,) if CHAMPION in lists.table.column_names else ()
    return (BASE, *champion, OURS)


def figure(value: float) -> str:
    """Format a metric with four decimals and no leading zero, `.3886`; `-` for NaN."""
    if value != value:  # noqa: PLR0124  (NaN)
        return "-"
    return f"{value:.4f}".removeprefix("0")
