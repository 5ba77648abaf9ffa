"""Every ranker: learns, scores each row by itself, explains, and comes back from its folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankloop.ranking.blocks import Block, Source, thinned
from rankloop.ranking.metrics import mean_metrics
from rankloop.ranking.propensity import list_weights, propensities
from rankloop.ranking.rankers.protocol import FitOptions, Ranker, RankerError
from rankloop.ranking.rankers.registry import ranker_kind
from rankloop.settings.training import TrainingSettings

KINDS = ["xgboost", "neural", "logistic"]
NAMES = ("useful", "noise", "more")


def block(lists: int, seed: int, size: int = 12) -> Block:
    """Lists in which the first and the last feature say what is clicked."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(lists * size, 3)).astype(np.float32)
    wish = (5 * values[:, 0] + 3 * values[:, 2] + random.gumbel(size=lists * size)).reshape(lists, size)
    label = (wish == wish.max(axis=1, keepdims=True)).astype(np.int64).ravel()
    position, sizes = np.tile(np.arange(1, size + 1), lists), np.full(lists, size)
    return Block(values, label, position, sizes, random.integers(2**63, size=lists * size).astype(np.uint64))


def source(*blocks: Block) -> Source:
    return lambda: iter(blocks)


TRAIN, VALID = source(block(120, 1), block(80, 2)), source(block(60, 3))


def options(kind: Any, params: dict[str, Any] | None = None, **given: Any) -> FitOptions:  # noqa: ANN401  (any field)
    settings = TrainingSettings().params(kind)
    quick = {} if kind == "xgboost" else {"learning_rate": 0.01, "batch_size": 64}
    fit = {"num_boost_round": 30, "early_stopping_rounds": 5} if kind == "xgboost" else settings.fit_params
    return FitOptions(
        **{
            "params": {**settings.fix_params, **quick, **(params or {})},
            "fit": fit,
            "features": NAMES,
            "threads": 1,
            **given,
        }
    )


@pytest.fixture(scope="module")
def fitted() -> dict[str, Ranker]:
    return {kind: ranker_kind(kind).fit(TRAIN, VALID, options(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_is_clicked(fitted: dict[str, Ranker], kind: str) -> None:
    test = block(100, 4)
    [known, guessed] = [
        mean_metrics(score, test.label, test.sizes)["ndcg@5"]
        for score in (fitted[kind].score(test.values), np.random.default_rng(1).random(len(test.label)))
    ]
    assert known > guessed + 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_and_seed_give_the_same_scores(fitted: dict[str, Ranker], kind: str) -> None:
    again = ranker_kind(kind).fit(TRAIN, VALID, options(kind))
    values = block(50, 5).values
    assert np.array_equal(again.score(values), fitted[kind].score(values))


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_does_not_depend_on_order_or_on_the_rows_beside_it(fitted: dict[str, Ranker], kind: str) -> None:
    values = block(60, 5).values
    together = fitted[kind].score(values)
    mixed = np.random.default_rng(1).permutation(len(values))
    assert np.array_equal(fitted[kind].score(values[mixed]), together[mixed])
    pieces = np.split(values, [1, 7, 300, 301])
    assert np.array_equal(np.concatenate([fitted[kind].score(piece) for piece in pieces]), together)
    assert fitted[kind].score(values[:0]).shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_its_folder_with_the_same_scores(
    fitted: dict[str, Ranker], kind: str, tmp_path: Path
) -> None:
    fitted[kind].save(tmp_path)
    values = block(30, 6).values
    assert np.array_equal(ranker_kind(kind).load(tmp_path, 3).score(values), fitted[kind].score(values))
    with pytest.raises(RankerError, match="holds no ranker"):
        ranker_kind(kind).load(tmp_path / "nowhere", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_add_up_to_the_score_and_point_at_what_matters(fitted: dict[str, Ranker], kind: str) -> None:
    values = block(30, 6).values
    parts = fitted[kind].explain(values)
    assert parts.shape == (len(values), 4)
    assert parts.sum(axis=1) == pytest.approx(fitted[kind].score(values), abs=1e-4)
    weight = np.abs(parts[:, :3]).mean(axis=0)
    assert weight.argmin() == fitted[kind].importance().argmin() == 1
    assert fitted[kind].importance().sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_it_stops_at_its_best_round(fitted: dict[str, Ranker], kind: str) -> None:
    curve = fitted[kind].curve
    assert curve.valid[curve.best_round] == max(curve.valid)
    assert curve.metric == "ndcg@10"


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_that_it_does_not_know_is_refused_with_those_it_does(kind: str) -> None:
    with pytest.raises(RankerError, match=r"has no parameter called depth; there are .*learning_rate"):
        ranker_kind(kind).fit(TRAIN, VALID, options(kind, {"depth": 3}))


@pytest.mark.parametrize("debias", ["unbiased", "propensity"])
def test_trees_can_be_fitted_against_the_effect_of_position(debias: Any) -> None:  # noqa: ANN401  (a literal)
    ranker = ranker_kind("xgboost").fit(TRAIN, VALID, options("xgboost", debias=debias))
    assert max(ranker.curve.valid) > 0.5


def test_ndcg_can_be_the_objective_and_nothing_that_ranks_no_lists() -> None:
    ranker_kind("xgboost").fit(TRAIN, VALID, options("xgboost", {"objective": "rank:ndcg"}))
    with pytest.raises(RankerError, match="'reg:squarederror'; there are rank:pairwise, rank:ndcg"):
        ranker_kind("xgboost").fit(TRAIN, VALID, options("xgboost", {"objective": "reg:squarederror"}))


def test_no_ranker_goes_by_an_unknown_name() -> None:
    with pytest.raises(RankerError, match="there are xgboost, neural, logistic"):
        ranker_kind("catboost")


def test_thinned_lists_keep_every_click_and_the_same_others_however_blocks_are_cut() -> None:
    whole = block(40, 7)
    half = 20 * 12
    parts = [
        Block(*(part[:half] for part in whole[:3]), whole.sizes[:20], whole.draw[:half]),
        Block(*(part[half:] for part in whole[:3]), whole.sizes[20:], whole.draw[half:]),
    ]
    made = thinned(whole, 4, salt=9)
    assert made.label.sum() == 40
    assert set(made.sizes) == {5}
    assert np.array_equal(np.concatenate([thinned(part, 4, salt=9).values for part in parts]), made.values)
    assert not np.array_equal(thinned(whole, 4, salt=10).values, made.values)


def test_propensity_falls_with_the_position_and_weighs_late_clicks_more() -> None:
    label = np.array([1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0])
    shown = Block(np.zeros((12, 1), np.float32), label, np.tile([1, 2, 3], 4), np.full(4, 3), np.zeros(12, np.uint64))
    curve = propensities([shown])
    assert curve[0] == 1
    assert np.all(np.diff(curve) <= 0)
    weights = list_weights(shown, curve)
    assert weights[3] > weights[0] == 1
