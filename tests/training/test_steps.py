"""A training from the plan to the registered challenger, and each of its steps done twice."""

import pytest

from rankloop.settings import Settings
from rankloop.training import learning
from tests.training.steps import SMALL, STEPS, Told

pytestmark = pytest.mark.stack


def test_a_training_ends_with_a_registered_challenger(clean: Told) -> None:
    assert clean.left["outcome"] == "registered"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_done_twice_leaves_the_same(shop: Settings, clean: Told, step: str) -> None:
    before = clean.left
    STEPS[step](shop, clean.run_id)
    assert clean.left == before


def test_a_training_set_is_made_by_the_settings_the_training_was_begun_with(shop: Settings, clean: Told) -> None:
    before = clean.left
    training = SMALL.model_copy(update={"idle_share": 1.0, "label_hours": 1})
    learning.build(shop.model_copy(update={"training": training}), clean.run_id)
    assert clean.left == before
