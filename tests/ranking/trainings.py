"""The facts of a made-up training."""

from datetime import date

import numpy as np

from rankloop.ranking.calibration import fit_calibration, reliability
from rankloop.ranking.comparison import Bootstrap, compare
from rankloop.ranking.evaluation import evaluate
from rankloop.ranking.gate import judge
from rankloop.ranking.report.examples import find_examples
from rankloop.ranking.report.facts import ReportData, SetDays
from rankloop.ranking.scored import TESTS, ScoredLists, scored_lists
from rankloop.settings.gate import GateSettings
from tests.ranking.judged_lists import scored

NAMES = ("product_ctr", "buyer_category_share_d2", "base_score", "buyer_shop_share", "price_fit", "buyer_word_match")


def training(lists: int = 400, *, ours: float = 2.0, champion: float | None = 1.2) -> ReportData:
    """A challenger that knows this much against a champion that knows that much."""
    table = scored_lists(scored(lists, ours=ours, champion=champion))
    valid, tests = table.of_sets("valid"), table.of_sets(*TESTS)
    fitted = fit_calibration(valid.score("pscore"), valid.label > 0, valid.row_weight)
    compared = compare(table, Bootstrap(resamples=200))
    curve = 0.5 - 0.2 * np.exp(-np.arange(120) / 25)
    return ReportData(
        challenger="ranker v7",
        champion="ranker v6",
        as_of=date(2026, 11, 21),
        why="the week is complete",
        ranker="xgboost rank:ndcg",
        days=[_days(table, name) for name in table.sets()],
        evaluation=evaluate(table),
        comparison=compared,
        gate=judge(compared, GateSettings(min_lists=50, segment_lists=30)),
        features=NAMES,
        importance={name: 100 / (place + 1) for place, name in enumerate(NAMES)},
        parameters={"learning_rate": 0.1, "max_depth": 5, "objective": "rank:ndcg"},
        table_versions={"training/lists": 42, "features/product": 117},
        code="5481bcc",
        run="http://127.0.0.1:5000/#/experiments/1/runs/abc",
        examples=find_examples(table),
        reliability=reliability(fitted.apply(tests.score("pscore")), tests.label > 0, tests.row_weight),
        learning_curve={"train": list(curve + 0.03), "valid": list(curve)},
    )


def _days(table: ScoredLists, name: str) -> SetDays:
    some = table.of_sets(name)
    days = some.table["dt"].to_pylist()
    return SetDays(
        name, min(days), max(days), int(some.weight.sum()), int(some.reacted.sum()), int(some.row_weight.sum())
    )
