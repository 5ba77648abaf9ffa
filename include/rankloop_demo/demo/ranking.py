"""A challenger and the question about it, in the demo's two turns: the first one, and the one after drift."""

from collections.abc import Callable
from functools import partial

from rankloop.registry.connection import Registry
from rankloop.settings import Settings
from rankloop_demo.demo.days import days_of, teller
from rankloop_demo.demo.screen import Screen
from rankloop_demo.stack import approving
from rankloop_demo.stack.following import follow_promotion
from rankloop_demo.stack.people import passwords_file
from rankloop_demo.stack.training import train_as_of, watch_training

WHY = "there is history enough for a first model"
TRIALS = 4
"""Fewer than a usual training makes: here five more took half a minute and won less than a hundredth of NDCG@10."""
WHY_APPROVED = "answered by the demo"


def train_challenger(settings: Settings, screen: Screen) -> str:
    """Have Airflow train a challenger on the history; it is registered if it is better than the shop's ranking."""
    # Heavy, and no other step needs it.
    from rankloop.ranking.windows import first_trainable  # noqa: PLC0415

    days = days_of(settings).history
    if days[-1] < (first := first_trainable(settings.training, days[0])):
        return f"history is too short: the first day as of which a training is possible is {first}"
    trials = min(TRIALS, settings.training.max_iter)
    return _trained(settings, screen, train_as_of(settings, days[-1], WHY, trials, teller(screen)))


def train_after_drift(settings: Settings, screen: Screen) -> str:
    """Watch the training that drift asked for to its end."""
    # Heavy, and no other step needs them.
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.state.actions import RETRAIN, earlier_actions  # noqa: PLC0415

    demo = days_of(settings)
    with connect(settings.mongo) as client:
        begun = [action for action in earlier_actions(client, demo.last) if action.kind == RETRAIN]
    if not begun:
        return "drift asked for no training: `rankloop alerts list` says what was found, and what was done"
    return _trained(settings, screen, watch_training(settings, f"drift__{begun[-1].day}", teller(screen)))


def _trained(settings: Settings, screen: Screen, key: str) -> str:
    # Heavy, and no other step needs them.
    from rankloop.context import open_context  # noqa: PLC0415
    from rankloop.ranking.gate import GateResult  # noqa: PLC0415
    from rankloop.registry.tracking import find_training  # noqa: PLC0415
    from rankloop.training.record import GATE  # noqa: PLC0415
    from rankloop.training.registration import training_outcome  # noqa: PLC0415

    with open_context(settings) as context:
        run = find_training(context.registry, key)
        outcome, verdict = training_outcome(run), GateResult.from_json(run.get_text(GATE)).verdict
    screen.say(f"      {verdict} All figures: rankloop train show {run.run_id}")
    return f"version {outcome['version']} is registered" if "version" in outcome else "no challenger: see the verdict"


def ask_ml_lead(*, by_hand: bool) -> Callable[[Settings, Screen], str]:
    """Return the step that asks the ML lead about the challenger; once approved, it is the champion."""
    return partial(_asked, by_hand=by_hand)


def _asked(settings: Settings, screen: Screen, *, by_hand: bool) -> str:
    # Heavy, and no other step needs them.
    from rankloop.champions.current import current_champion, reconcile_aliases  # noqa: PLC0415
    from rankloop.desk.promotion import print_ledger  # noqa: PLC0415
    from rankloop.mongo import connect  # noqa: PLC0415
    from rankloop.registry.versions import challenger  # noqa: PLC0415

    if asked := challenger(Registry(settings.mlflow)):
        run = approving.ask_about(settings, asked.number)
        screen.say(approving.question(settings, run)["subject"], style="bold")
        if by_hand:
            screen.say(
                f"Answer as ml-lead: {approving.page(settings, run)}\n"
                f"The password is in {passwords_file(settings.home)}."
            )
        else:
            approving.answer(settings, run, "ml-lead", "Approve", WHY_APPROVED)
        approving.wait_for_end(settings, run)
        follow_promotion(settings, run, teller(screen))
    with connect(settings.mongo) as client:
        print_ledger(screen.console, reconcile_aliases(client, Registry(settings.mlflow)))
        champion = current_champion(client, Registry(settings.mlflow))
    if not champion:
        return "no champion yet: nobody approved one"
    return f"version {champion.number} is the champion; each buyer's shelf: http://127.0.0.1:{settings.ports.serving}"
