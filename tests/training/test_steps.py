"""A training from the plan to the registered challenger, and each of its steps done twice."""

import pytest

from rankloop.settings import Settings
from tests.training.steps import STEPS, Told

pytestmark = pytest.mark.stack


def test_a_training_ends_with_a_registered_challenger(clean: Told) -> None:
    assert clean.left["outcome"] == "registered"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_done_twice_leaves_the_same(shop: Settings, clean: Told, step: str) -> None:
    before = clean.left
    STEPS[step](shop, clean.run_id)
    assert clean.left == before
