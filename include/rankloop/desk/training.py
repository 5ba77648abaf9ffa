"""What the `rankloop train` commands print."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rankloop.context import Context
from rankloop.ranking.evaluation import Evaluation
from rankloop.ranking.gate import GateResult
from rankloop.training import record
from rankloop.training.record import open_record
from rankloop.training.registration import training_outcome
from rankloop.training.reproduce import ReproductionResult

WORDS = {True: Text("yes", style="green"), False: Text("no", style="red")}


def print_progress(console: Console, step: str, result: str) -> None:
    """Print a step's result on one line."""
    console.print(Text.assemble((f"{step:<10}", "bold"), result), soft_wrap=True)


def print_training(console: Console, context: Context, run_id: str) -> None:
    """Print a training, finished or under way: its evaluation, the verdict, and links."""
    training = open_record(context.registry, context.lake, run_id)
    run = training.run
    console.print(f"Training as of {training.as_of}: {training.reason}", style="bold", highlight=False, markup=False)
    if not run.has(record.EVALUATION):
        console.print("It is not evaluated yet.")
    else:
        console.print(Evaluation.from_rows(run.get_json(record.EVALUATION)).terminal(console.width))
    facts = Table.grid(padding=(0, 2))
    if run.has(record.GATE):
        result = GateResult.from_json(run.get_text(record.GATE))
        facts.add_row("verdict", Text(result.verdict))
        for rule in result.failures:
            facts.add_row("", Text(rule.sentence, style="red"))
    ending = training_outcome(run)
    version = f"version {ending['version']}, " if "version" in ending else ""
    facts.add_row("outcome", f"{version}{ending.get('outcome', 'under way')}")
    if "stopped_because" in ending:
        facts.add_row("", Text(ending["stopped_because"], style="red"))
    console.print(facts)
    # On lines of their own: a table would cut off what is wider than the terminal.
    if run.has(record.REPORT):
        print_progress(console, "report", f"{run.link}/artifacts/{record.REPORT}")
    print_progress(console, "run", run.link)


def print_reproduction(console: Console, result: ReproductionResult) -> None:
    """Print whether the model is the same, and what differs around it."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("training set", f"{result.data}, as the run recorded it", WORDS[True])
    models = result.model_now[:16]
    if result.model_now != result.model_then:
        models += f", and {result.model_then[:16]} then"
    facts.add_row("model", models, WORDS[result.model_now == result.model_then])
    changed = f"{result.changed_rows:,} of {result.rows:,} test rows differ, by up to {result.largest_change:.3g}"
    scored = changed if result.changed_rows else f"equal for all {result.rows:,} test rows"
    facts.add_row("scores", scored, WORDS[not result.changed_rows])
    console.print(facts)
    if result.differences:
        table = Table("what differs", "then", "now", box=None, pad_edge=False)
        for difference in result.differences:
            table.add_row(difference.what, difference.then, difference.now)
        console.print(table)
    console.print("It is the same model." if result.same else "It is a different model.", style="bold")
