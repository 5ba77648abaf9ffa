"""The form that the ML lead fills in, and the check of what comes of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def test_the_form_insists_on_a_reason_and_the_check_lets_a_timeout_pass(dag_bag: "DagBag") -> None:
    ask = dag_bag.dags["model_promotion"].get_task("ask_ml_lead")
    assert ask.serialized_params["reason"]["schema"]["type"] == "string"
    ask.validate_params_input({"reason": None})  # what Airflow answers itself when the time is over


def test_only_the_allow_list_is_asked_and_silence_is_no(dag_bag: "DagBag") -> None:
    ask = dag_bag.dags["model_promotion"].get_task("ask_ml_lead")
    assert [user["id"] for user in ask.assigned_users] == ["ml-lead"]
    assert (ask.options, ask.defaults) == (["Approve", "Reject"], ["Reject"])
