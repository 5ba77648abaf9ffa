"""What people see of the lake in a terminal."""

from datetime import timedelta
from io import StringIO

import pytest
from bson import Int64
from rich.console import Console
from typer.testing import CliRunner

from rankloop.cli.main import app
from rankloop.contracts.lake import REACTIONS
from rankloop.contracts.marketplace import INTERACTIONS
from rankloop.desk import events as terminal
from rankloop.lake.comparison import diff_partition
from rankloop.settings import load_settings
from tests.events.shop import DAY, NIGHT, Shop, a_reaction, at

pytestmark = pytest.mark.stack


def page() -> Console:
    return Console(file=StringIO(), width=100)


def said(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_days_are_listed_with_what_to_know_of_them(shop: Shop) -> None:
    console = page()
    terminal.print_event_days(console, shop.ingestion.lake)
    assert "No day is cleaned yet" in said(console)
    shop.add(INTERACTIONS, a_reaction("x", at(12), price=Int64(0)))
    shop.with_rules(bad_share=0).clean(now=NIGHT + timedelta(days=4), accept=("bad_rows",))
    terminal.print_event_days(console, shop.ingestion.lake)
    assert "│ 2026-11-03 │     6 │         2 │        3 │      2 │           1 │" in said(console)
    assert "accepted: bad_rows; catalogue of 5 days later" in " ".join(said(console).replace("│", "").split())
    assert "Nearly always empty on 2026-11-03: buyers.last_payment_method, buyers.is_bad_buyer." in said(console)


def test_the_command_line_shows_what_is_in_quarantine(shop: Shop, mongo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLOOP_MONGO_URI", mongo)
    load_settings.cache_clear()
    empty = CliRunner().invoke(app, ["quarantine"])
    shop.add(INTERACTIONS, a_reaction("x", at(12), price=Int64(0)), a_reaction("y", at(12), kind="peek"))
    shop.clean()
    day = ["quarantine", "--day", DAY.isoformat()]
    counts, rows, some = (
        CliRunner().invoke(app, args) for args in (["quarantine"], day, [*day, "--reason", "bad_price"])
    )
    load_settings.cache_clear()
    assert "Nothing is in quarantine" in empty.output
    assert "bad_price" in counts.output
    assert "kind = peek" not in counts.output
    assert "kind = peek" in rows.output
    assert "price = 0" in some.output
    assert "kind = peek" not in some.output


def test_a_tables_days_name_the_version_that_they_were_last_written_with(shop: Shop) -> None:
    shop.clean()
    last = shop.clean().sources[INTERACTIONS]
    console = page()
    terminal.print_table_days(console, shop.ingestion.lake, REACTIONS)
    [row] = [line for line in said(console).splitlines() if "2026-11-03" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert (cells[0], cells[1], cells[2], cells[4]) == ("2026-11-03", "2", "2", last.digest)


def test_versions_are_listed_newest_first(shop: Shop) -> None:
    shop.clean()
    console = page()
    terminal.print_table_versions(console, shop.ingestion.lake.versions(REACTIONS))
    rows = [line.split("│")[1].strip() for line in said(console).splitlines() if line.startswith("│")]
    assert rows == ["1", "0"]


def test_a_difference_shows_the_rows_that_changed(shop: Shop) -> None:
    shop.clean()
    shop.client["marketplace"]["interactions"].update_one({"interaction_id": "i1"}, {"$set": {"price": Int64(5)}})
    shop.clean()
    console = page()
    terminal.print_partition_diff(console, diff_partition(shop.ingestion.lake, REACTIONS, DAY))
    assert "Columns whose values differ: price." in said(console)
    assert "Only after, the first 1 of 1:" in said(console)
    assert "price = 5," in said(console)


def test_a_day_that_is_the_same_is_said_to_be(shop: Shop) -> None:
    shop.clean()
    shop.clean()
    console = page()
    terminal.print_partition_diff(console, diff_partition(shop.ingestion.lake, REACTIONS, DAY))
    assert "events/interactions 2026-11-03: the same 2 rows in version 1 and version 2" in said(console)
