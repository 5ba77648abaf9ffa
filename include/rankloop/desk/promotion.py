"""Versions, comparisons and the ledger, for people in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rankloop.champions.current import version_label
from rankloop.promotion.comparing import Pair
from rankloop.ranking.gate import METRIC
from rankloop.ranking.report.summary import KEY_METRICS, percent, title_of
from rankloop.ranking.segments import segment_of
from rankloop.registry.versions import Version
from rankloop.state.ledger import LedgerEntry

STYLES = {"promoted": "green", "rolled back": "yellow", "refused": "red", "moved": "red"}
WORST = 5


def show_versions(console: Console, versions: Sequence[Version]) -> None:
    """All versions, newest first."""
    if not versions:
        console.print("No version is registered yet: continuous_training registers the first.")
        return
    table = Table("version", "is", "as of", "registered", "what the gate said", box=None, pad_edge=False)
    for version in versions:
        life = ", ".join(version.aliases) or version.lifecycle.lower()
        registered = f"{version.registered_at:%F %H:%M}"
        table.add_row(str(version.number), life, str(version.as_of), registered, version.tags["gate"])
    console.print(table)


def show_version(console: Console, version: Version, entries: Sequence[LedgerEntry]) -> None:
    """A version: what it is, what it was made of, and what was decided about it."""
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
            console.print(Text.assemble(("ledger        ", "bold"), sentence(entry)), soft_wrap=True)


def show_pair(console: Console, pair: Pair) -> None:
    """Two versions side by side."""
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


def show_ledger(console: Console, entries: Sequence[LedgerEntry]) -> None:
    """All that was decided, oldest first."""
    if not entries:
        console.print("Nothing was decided yet: the ledger is empty.")
    for entry in entries:
        console.print(Text.assemble((f"{entry.number:>3}  {entry.at}  ", "dim"), sentence(entry)), soft_wrap=True)


def sentence(entry: LedgerEntry) -> Text:
    """An entry, in words."""
    about = version_label(entry.version) if entry.version is not None else "the champion"
    change = f", champion in place of {version_label(entry.before)}" if entry.before != entry.after else ""
    return Text.assemble(
        about, " ", (entry.decision, STYLES.get(entry.decision, "bold")), f" by {entry.who}{change}: {entry.reason}"
    )


def show_flaws(console: Console, entries: Sequence[LedgerEntry], flaws: Sequence[str]) -> None:
    """Whether the ledger is whole."""
    if not flaws:
        console.print(whole(entries), style="green")
    for flaw in flaws:
        console.print(flaw, style="red", soft_wrap=True)


def whole(entries: Sequence[LedgerEntry]) -> str:
    """That a ledger has no flaw."""
    count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    return f"The ledger is whole: {count}, each sealing the one before."
