"""What stops a training, and what nobody is asked about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest

from rankloop.features.joining.joiners import joiner_for
from rankloop.ranking import lists
from rankloop.ranking.leak import LeakError
from rankloop.ranking.windows import TooLittleHistoryError
from rankloop.settings import Settings
from rankloop.settings.gate import GateSettings
from rankloop.training import record
from rankloop.training.registration import RejectedError, training_outcome
from tests.features.market import FIRST_DAY
from tests.training.steps import AS_OF, SMALL, STEPS, Told, begun, champion_is, open_record, plan, record_rejection

pytestmark = pytest.mark.stack
LEAKY = "product_ctr_7d"
WEAK = {
    "max_iter": 0,
    "eval_k_list": [30, 10],
    "eval_metric_list": ["recall", "ndcg"],
    "xgboost": {"fix_params": {"max_depth": 1}, "fit_params": {"num_boost_round": 1}},
}


@dataclass(frozen=True)
class Weak:
    """A challenger that learned next to nothing, against a champion that learned more."""

    told: Told
    gate: dict[str, Any]
    reasons: str


@pytest.fixture(scope="module")
def weak(shop: Settings, clean: Told) -> Iterator[Weak]:
    """The training of the weak one, to its rejection; the clean one's model is the champion meanwhile."""
    training = SMALL.model_validate({**SMALL.model_dump(), **WEAK})
    settings = shop.model_copy(update={"training": training, "gate": GateSettings(resamples=100, min_lists=5)})
    with champion_is(shop, clean.versions[0]):
        run_id = begun(settings, "a weak one", until="gate")
        gate = STEPS["gate"](settings, run_id)
        yield Weak(Told(run_id, settings), gate, record_rejection(settings, run_id))


def test_a_feature_that_copies_the_label_stops_tuning_by_its_name(leaky_shop: Settings) -> None:
    def leaking(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            place = batch.schema.get_field_index(LEAKY)
            yield batch.set_column(place, LEAKY, batch["label"].cast(batch.schema.field(LEAKY).type))

    def leaking_joiner(*asked: Any, **how: Any) -> SimpleNamespace:  # noqa: ANN401  (passed through)
        joiner = joiner_for(*asked, **how)
        return SimpleNamespace(rows=lambda features: leaking(joiner.rows(features)))

    run_id = plan(leaky_shop, "a leaky one")
    with patch.object(lists, "joiner_for", leaking_joiner):
        STEPS["build"](leaky_shop, run_id)
    with pytest.raises(LeakError, match=rf"^{LEAKY} \(1\.0000\): by itself it tells clicked products from ignored"):
        STEPS["tune"](leaky_shop, run_id)


def test_a_worse_challenger_does_not_pass_the_gate(weak: Weak) -> None:
    assert not weak.gate["passed"]


def test_the_evaluation_and_the_comparison_have_the_metrics_that_were_asked_for(weak: Weak) -> None:
    run, asked = (
        open_record(weak.told.settings, weak.told.run_id).run,
        {"recall@10", "recall@30", "ndcg@10", "ndcg@30"},
    )
    rows = run.get_json(record.EVALUATION)
    assert set(rows[0]) == {"set", "ranking", "lists", "reacted"} | asked
    assert {delta["metric"] for delta in run.get_json(record.COMPARISON)["deltas"]} == asked


def test_a_rejection_tells_the_rule_and_its_figures(weak: Weak) -> None:
    figure = r"0?\.\d{4}"
    rule = rf"NDCG@10 {figure} -> {figure}, -{figure} \(95% interval .*\); its lower bound has to be above 0: fail\."
    assert re.search(rule, weak.reasons)


def test_a_rejection_is_noted_with_its_run(weak: Weak) -> None:
    told = training_outcome(open_record(weak.told.settings, weak.told.run_id).run)
    assert (told["outcome"], told["rejected_because"]) == ("rejected", weak.reasons)


def test_a_rejected_challenger_cannot_be_registered(weak: Weak) -> None:
    with pytest.raises(RejectedError, match=f"run {weak.told.run_id} is not registered. Rejected: NDCG@10 is down"):
        STEPS["register"](weak.told.settings, weak.told.run_id)
    assert weak.told.versions == []


def test_the_challenger_is_compared_with_the_champion_of_the_moment(weak: Weak, clean: Told) -> None:
    told = training_outcome(open_record(weak.told.settings, weak.told.run_id).run)
    assert told["compared_with"] == f"version {clean.versions[0]}"


def test_too_little_history_names_the_first_trainable_week(shop: Settings) -> None:
    with pytest.raises(TooLittleHistoryError, match=rf"first trainable day is {AS_OF}, in week 2026-W41\."):
        plan(shop, "too early", FIRST_DAY, "too early")
