"""The reference's table."""

import io
import json

import pytest
from rich.console import Console

from rankloop.ranking.evaluation import evaluate
from rankloop.ranking.metrics import mean_metrics, metric_names
from rankloop.ranking.scored import scored_lists
from tests.ranking.judged_lists import SETS, scored


def test_there_is_a_row_for_each_set_and_ranking_and_a_column_for_each_metric_at_each_k() -> None:
    evaluation = evaluate(scored_lists(scored()))
    assert [(row.set, row.ranking) for row in evaluation.rows] == [
        (name, ranking) for name in SETS for ranking in ("base_score", "pscore")
    ]
    assert {tuple(row.metrics) for row in evaluation.rows} == {metric_names()}


def test_the_champion_has_a_row_where_it_is_scored() -> None:
    evaluation = evaluate(scored_lists(scored(champion=1.0)))
    assert {row.ranking for row in evaluation.rows} == {"base_score", "champion_score", "pscore"}


def test_a_figure_is_the_metric_of_that_set_and_ranking() -> None:
    lists = scored_lists(scored())
    some = lists.of_sets("test_2")
    expected = mean_metrics(some.score("pscore"), some.label, some.sizes, weight=some.weight)
    assert evaluate(lists).of("test_2", "pscore") == expected


def test_only_the_metrics_that_were_asked_for_are_shown() -> None:
    lists = scored_lists(scored())
    some = evaluate(lists, metric_names((20, 7), ("recall", "ndcg")))
    assert some.markdown().splitlines()[0] == "| set | ranking | recall@7 | @20 | NDCG@7 | @20 |"
    assert some.of("test_1", "pscore")["ndcg@20"] == evaluate(lists).of("test_1", "pscore")["ndcg@20"]


def test_a_sampled_list_without_a_reaction_lowers_ctr_by_what_it_stands_for() -> None:
    lists = scored_lists(scored())
    some = lists.of_sets("train")
    unweighted = mean_metrics(some.score("pscore"), some.label, some.sizes)
    weighted = evaluate(lists).of("train", "pscore")
    assert weighted["ctr@5"] < unweighted["ctr@5"]
    assert weighted["ndcg@5"] == pytest.approx(unweighted["ndcg@5"])


def test_the_markdown_has_the_references_shape() -> None:
    lines = evaluate(scored_lists(scored())).markdown().splitlines()
    assert lines[0].startswith("| set | ranking | MAP@5 | @10 | @20 | @30 | recall@5 |")
    assert {line.count("|") for line in lines} == {23}
    assert lines[2].startswith("| train | base_score | .")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_figure_is_cut_in_a_terminal_of_any_width(width: int) -> None:
    evaluation = evaluate(scored_lists(scored()))
    console = Console(width=width, file=io.StringIO())
    console.print(evaluation.terminal(width))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert shown.count("pscore") % 6 == 0
    for row in evaluation.rows:
        for value in row.metrics.values():
            assert f"{value:.4f}"[1:] in shown


def test_rows_and_flat_figures_are_plain_enough_for_json_and_a_tracker() -> None:
    evaluation = evaluate(scored_lists(scored()))
    assert json.loads(json.dumps(evaluation.as_rows()))[0]["set"] == "train"
    assert evaluation.flat()["test_0.pscore.ndcg_at_10"] == evaluation.of("test_0", "pscore")["ndcg@10"]


def test_a_metric_that_no_list_has_is_no_figure() -> None:
    table = scored(30)
    idle = table.set_column(table.column_names.index("label"), "label", [[0] * len(table)])
    evaluation = evaluate(scored_lists(idle))
    assert "train.pscore.ndcg_at_10" not in evaluation.flat()
    assert "| - |" in evaluation.markdown()
