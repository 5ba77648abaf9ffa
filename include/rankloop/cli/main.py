"""The `rankloop` command: thin, each command calls one function of the library; one module a command group.

An installed distribution may add commands: it names a function that takes the app as an entry point of
`rankloop.commands`.
"""

import sys
from importlib.metadata import entry_points

import typer
from rich.console import Console

from rankloop.cli.features import features_app
from rankloop.cli.lake import lake_app
from rankloop.cli.ledger import ledger_app
from rankloop.cli.live import live_app
from rankloop.cli.model import model_app
from rankloop.cli.oncall import alerts_app, monitoring_app
from rankloop.cli.quarantine import quarantine
from rankloop.cli.score import score
from rankloop.cli.training import train_app
from rankloop.errors import RankloopError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
app.add_typer(features_app, name="features")
app.add_typer(lake_app, name="lake")
app.add_typer(train_app, name="train")
app.add_typer(model_app, name="model")
app.add_typer(ledger_app, name="ledger")
app.add_typer(live_app, name="live")
app.add_typer(alerts_app, name="alerts")
app.add_typer(monitoring_app, name="monitoring")
app.command("quarantine")(quarantine)
app.command("score")(score)
for entry in entry_points(group="rankloop.commands"):
    entry.load()(app)


def main() -> None:
    """Run the command; an error meant for a person is printed as one, without a traceback."""
    try:
        app()
    except RankloopError as error:
        Console(stderr=True).print(f"rankloop: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
