"""What the command line shows of a training."""

from io import StringIO

import pytest
from rich.console import Console

from rankloop.context import open_context
from rankloop.desk import training as terminal
from rankloop.settings import Settings
from rankloop.training.reproduce import EnvironmentDifference, ReproductionResult
from tests.training.steps import Told, open_record, plan

SAME = ReproductionResult("run", "d1", "m1" * 8, "m1" * 8, 1200, 0, 0.0, ())
OTHER = ReproductionResult(
    "run", "d1", "m1" * 8, "m2" * 8, 1200, 7, 0.25, (EnvironmentDifference("package numpy", "1.0", "2.0"),)
)


def page(width: int = 160) -> Console:
    return Console(file=StringIO(), width=width)


def text(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.stack
def test_a_training_is_shown_with_the_table_the_verdict_and_links(shop: Settings, clean: Told) -> None:
    console = page()
    with open_context(shop) as context:
        terminal.print_training(console, context, clean.run_id)
    for part in ("NDCG", "test_1", "pscore", "Worth asking about", f"version {clean.versions[0]}, registered", "http"):
        assert part in text(console)


@pytest.mark.stack
def test_links_are_whole_in_a_narrow_terminal(shop: Settings, clean: Told) -> None:
    console, run = page(80), open_record(shop, clean.run_id).run
    with open_context(shop) as context:
        terminal.print_training(console, context, clean.run_id)
    lines = text(console).splitlines()
    assert f"report    {run.link}/artifacts/comparison.html" in lines
    assert f"run       {run.link}" in lines
    assert "…" not in text(console)


@pytest.mark.stack
def test_a_training_under_way_is_shown(shop: Settings) -> None:
    console = page()
    with open_context(shop) as context:
        terminal.print_training(console, context, plan(shop, "just planned"))
    assert "It is not evaluated yet." in text(console)
    assert "under way" in text(console)


@pytest.mark.stack
def test_each_step_tells_what_it_came_to(clean: Told) -> None:
    assert list(dict.fromkeys(step for step, _ in clean.facts)) == [
        *("plan", "build", "tune", "train", "measure", "compare", "register")
    ]


def test_the_same_model_is_called_so() -> None:
    console = page()
    terminal.print_reproduction(console, SAME)
    assert "equal for all 1,200 test rows" in text(console)
    assert "It is the same model." in text(console)


def test_another_model_is_shown_with_what_is_another_around_it() -> None:
    console = page()
    terminal.print_reproduction(console, OTHER)
    for part in ("7 of 1,200 test rows differ", "package numpy", "It is a different model."):
        assert part in text(console)
