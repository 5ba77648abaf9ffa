"""All steps of a training in one process, for whoever has no scheduler at hand."""

from collections.abc import Callable
from datetime import date

from rankloop.settings import Settings
from rankloop.training.ending import record_rejection, register_challenger
from rankloop.training.judging import compare_with_champion, gate, measure
from rankloop.training.learning import build, plan, train, tune

OnFact = Callable[[str, str], None]
"""Called with a step's name and what it came to, as soon as that is known."""


def run_training(settings: Settings, key: str, as_of: date, reason: str, on_fact: OnFact = lambda _s, _f: None) -> str:
    """The id of the run of a training, carried out to its end; one that was interrupted goes on by its key."""
    run_id = plan(settings, key, as_of, reason)
    on_fact("plan", f"run {run_id}")
    built = build(
        settings,
        run_id,
        lambda day: on_fact("build", f"{day.facts.day}: {day.counts['lists']:,} lists, {day.counts['shown']:,} shown"),
    )
    on_fact("build", f"training set {built['digest']}")
    tuned = tune(
        settings, run_id, lambda trial: on_fact("tune", f"trial {trial.number}: {trial.figure:.4f} by {trial.params}")
    )
    on_fact("tune", f"best of {tuned['trials']} trials, {tuned['features']} features")
    trained = train(settings, run_id)
    on_fact("train", f"{trained['rounds']} rounds, model {trained['model'][:16]}")
    measure(settings, run_id)
    on_fact("measure", "every list of every set is scored")
    compared = compare_with_champion(settings, run_id)
    against = f"version {compared['version']}" if compared["version"] else "the shop's own ranking"
    on_fact("compare", f"NDCG@10 {compared['delta ndcg@10']:+.4f} against {against}")
    if gate(settings, run_id)["passed"]:
        on_fact("register", f"version {register_challenger(settings, run_id)}")
    else:
        on_fact("gate", record_rejection(settings, run_id))
    return run_id
