"""What the `rankloop model` and `rankloop ledger` commands print."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rankloop.champions.current import version_label
from rankloop.promotion.version_comparison import VersionPair
from rankloop.ranking.gate import METRIC
from rankloop.ranking.report.summary import KEY_METRICS, percent, title_of
from rankloop.ranking.segments import segment_of
from rankloop.registry.versions import Version
from rankloop.state.ledger import LedgerEntry

STYLES = {"promoted": "green", "rolled back": "yellow", "refused": "red", "moved": "red"}
WORST = 5


def print_versions(console: Console, versions: Sequence[Version]) -> None:
    """Print all versions, newest first."""
    if not versions:
        console.print("No version is registered yet: continuous_training registers the first.")
        return
    table = Table("version", "is", "as of", "registered", "what the gate said", box=None, pad_edge=False)
    for version in versions:
        life = ", ".join(version.aliases) or version.lifecycle.lower()
        registered = f"{version.registered_at:%F %H:%M}"
        table.add_row(str(version.number), life, str(version.as_of), registered, version.tags["gate"])
    console.print(table)


def print_version(console: Console, version: Version, entries: Sequence[LedgerEntry]) -> None:
    """Print a version: what it is, what it was trained on, and the decisions about it."""
    facts = {
        "is": ", ".join((*version.aliases, version.lifecycle.lower())),
        "as of": str(version.as_of),
        "because": version.tags["reason"],
        "gate": version.tags["gate"],
        "compared with": version.tags["champion_compared"],
        "data": f"{version.tags['data_digest']}, {version.tags['data_versions']}",
        "model": version.digest,
        "run": version.tags["run_link"],
    }
    console.print(f"version {version.number}", style="bold")
    for name, value in facts.items():
        console.print(Text.assemble((f"{name:<14}", "bold"), value), soft_wrap=True)
    for entry in entries:
        if version.number in {entry.version, entry.before}:
            console.print(Text.assemble(("ledger        ", "bold"), ledger_sentence(entry)), soft_wrap=True)


def print_version_pair(console: Console, pair: VersionPair) -> None:
    """Print two versions side by side."""
    compared, old, new = pair.comparison, pair.older.number, pair.newer.number
    console.print(f"version {new} against version {old}, on the {compared.lists:,} test lists of version {new}")
    deltas = {delta.metric: delta for delta in compared.overall()}
    table = Table("metric", f"version {old}", f"version {new}", "change", "interval", "", box=None, pad_edge=False)
    for name in (name for name in KEY_METRICS if name in deltas):
        delta = deltas[name]
        interval = f"{delta.lower:+.4f} to {delta.upper:+.4f}"
        figures = (f"{delta.champion:.4f}", f"{delta.challenger:.4f}", f"{delta.difference:+.4f}")
        table.add_row(title_of(name), *figures, interval, percent(delta))
    console.print(table)
    down = sorted((d for d in compared.by_segment(METRIC) if d.difference < 0), key=lambda d: d.difference)
    for delta in down[:WORST]:
        where = f"{title_of(METRIC)} is down for {segment_of(delta.segment).title}"
        console.print(f"{where}: {delta.difference:+.4f}", style="yellow", soft_wrap=True)


def print_ledger(console: Console, entries: Sequence[LedgerEntry]) -> None:
    """Print all decisions, oldest first."""
    if not entries:
        console.print("Nothing was decided yet: the ledger is empty.")
    for entry in entries:
        console.print(
            Text.assemble((f"{entry.number:>3}  {entry.at}  ", "dim"), ledger_sentence(entry)), soft_wrap=True
        )


def ledger_sentence(entry: LedgerEntry) -> Text:
    """Return an entry of the ledger in words."""
    about = version_label(entry.version) if entry.version is not None else "the champion"
    change = f", champion in place of {version_label(entry.before)}" if entry.before != entry.after else ""
    return Text.assemble(
        about, " ", (entry.decision, STYLES.get(entry.decision, "bold")), f" by {entry.who}{change}: {entry.reason}"
    )


def print_ledger_errors(console: Console, entries: Sequence[LedgerEntry], errors: Sequence[str]) -> None:
    """Print the ledger's errors, or that it has none."""
    if not errors:
        console.print(valid_ledger_sentence(entries), style="green")
    for error in errors:
        console.print(error, style="red", soft_wrap=True)


def valid_ledger_sentence(entries: Sequence[LedgerEntry]) -> str:
    """Return the sentence for a ledger without errors."""
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    return f"The ledger is valid: {count}, each with the hash of the one before."
