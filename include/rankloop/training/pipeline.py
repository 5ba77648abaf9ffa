"""Runs all steps of a training in one process, without a scheduler."""

from collections.abc import Callable
from datetime import date

from rankloop.context import Context
from rankloop.training.evaluation import apply_gate, compare_with_champion, evaluate_model
from rankloop.training.fitting import build_training_set, plan_training, train_ranker, tune_ranker
from rankloop.training.registration import record_rejection, register_challenger

OnProgress = Callable[[str, str], None]
"""Called with a step's name and its result, as soon as there is one."""


def run_training(
    context: Context, key: str, as_of: date, reason: str, on_progress: OnProgress = lambda _s, _r: None
) -> str:
    """Run a training to its end and return its run's id; one that was interrupted is resumed by its key."""
    run_id = plan_training(context, key, as_of, reason)
    on_progress("plan", f"run {run_id}")
    built = build_training_set(
        context,
        run_id,
        lambda day: on_progress(
            "build", f"{day.facts.day}: {day.counts['lists']:,} lists, {day.counts['shown']:,} shown"
        ),
    )
    on_progress("build", f"training set {built['digest']}")
    tuned = tune_ranker(
        context,
        run_id,
        lambda trial: on_progress("tune", f"trial {trial.number}: {trial.figure:.4f} by {trial.params}"),
    )
    on_progress("tune", f"best of {tuned['trials']} trials, {tuned['features']} features")
    trained = train_ranker(context, run_id)
    on_progress("train", f"{trained['rounds']} rounds, model {trained['model'][:16]}")
    evaluate_model(context, run_id)
    on_progress("measure", "every list of every set is scored")
    compared = compare_with_champion(context, run_id)
    against = f"version {compared['version']}" if compared["version"] else "the shop's own ranking"
    on_progress("compare", f"NDCG@10 {compared['delta ndcg@10']:+.4f} against {against}")
    if apply_gate(context, run_id)["passed"]:
        on_progress("register", f"version {register_challenger(context, run_id)}")
    else:
        on_progress("gate", record_rejection(context, run_id))
    return run_id
