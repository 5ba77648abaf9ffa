"""What the `rankloop train` commands print."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rankloop.ranking.evaluation import Evaluation
from rankloop.ranking.gate import GateResult
from rankloop.settings import Settings
from rankloop.training import record
from rankloop.training.ending import outcome
from rankloop.training.record import open_record
from rankloop.training.reproduce import Reproduced

WORDS = {True: Text("yes", style="green"), False: Text("no", style="red")}


def show_fact(console: Console, step: str, fact: str) -> None:
    """One line as a step comes to something."""
    console.print(Text.assemble((f"{step:<10}", "bold"), fact), soft_wrap=True)


def show_training(console: Console, settings: Settings, run_id: str) -> None:
    """A training on one page: how good it is, the verdict, and where to read on; also of one that is under way."""
    training = open_record(settings, run_id)
    run = training.run
    console.print(f"Training as of {training.as_of}: {training.reason}", style="bold", highlight=False, markup=False)
    if not run.has(record.EVALUATION):
        console.print("It is not measured yet.")
    else:
        console.print(Evaluation.from_rows(run.get_json(record.EVALUATION)).terminal(console.width))
    facts = Table.grid(padding=(0, 2))
    if run.has(record.GATE):
        result = GateResult.from_json(run.get_text(record.GATE))
        facts.add_row("verdict", Text(result.verdict))
        for rule in result.failures:
            facts.add_row("", Text(rule.sentence, style="red"))
    told = outcome(settings, run_id)
    version = f"version {told['version']}, " if "version" in told else ""
    facts.add_row("outcome", f"{version}{told.get('outcome', 'under way')}")
    if "stopped_because" in told:
        facts.add_row("", Text(told["stopped_because"], style="red"))
    console.print(facts)
    # Whole and on lines of their own: a table would cut off what is wider than the terminal.
    if run.has(record.REPORT):
        show_fact(console, "report", f"{run.link}/artifacts/{record.REPORT}")
    show_fact(console, "run", run.link)


def show_reproduced(console: Console, found: Reproduced) -> None:
    """Whether the same model came of it, and what is another around it."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("training set", f"{found.data}, as the run noted it", WORDS[True])
    models = found.model_now[:16]
    if found.model_now != found.model_then:
        models += f", and {found.model_then[:16]} then"
    facts.add_row("model", models, WORDS[found.model_now == found.model_then])
    changed = f"{found.changed_rows:,} of {found.rows:,} test rows have another, by up to {found.largest_change:.3g}"
    scored = changed if found.changed_rows else f"equal for all {found.rows:,} test rows"
    facts.add_row("scores", scored, WORDS[not found.changed_rows])
    console.print(facts)
    if found.differences:
        table = Table("what is another now", "then", "now", box=None, pad_edge=False)
        for one in found.differences:
            table.add_row(one.what, one.then, one.now)
        console.print(table)
    console.print("It is the same model." if found.same else "It is another model.", style="bold")
