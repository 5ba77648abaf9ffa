"""What a training came to, for people in a terminal."""

from rich.console import Console

from rankloop.ranking.evaluation import Evaluation
from rankloop.registry.tracking import find_training
from rankloop.settings import Settings
from rankloop.training import record
from rankloop.training.record import Training


def show_training(console: Console, settings: Settings, key: str) -> str:
    """The reference's table and the verdict of the training with this key; what came of it, in a line."""
    training = Training(settings, find_training(settings, key))
    table = Evaluation.from_rows(training.run.get_json(record.EVALUATION))
    console.print(table.terminal(console.width))
    tags = training.tags
    console.print(f"report    {training.run.link}/artifacts/{record.REPORT}", soft_wrap=True, highlight=False)
    if tags.get("rankloop.outcome") == "registered":
        return f"version {tags['rankloop.version']} is registered as the challenger: {tags['rankloop.verdict']}"
    return f"nobody is asked: {tags.get('rankloop.rejected_because', 'the training has not ended')}"
