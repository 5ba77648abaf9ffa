"""What `rankloop live show` prints."""

from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from rankloop.desk import monitoring as terminal
from rankloop.monitoring.measure.live_results import LIVE, SCHEMA, live_results
from rankloop.settings import Settings
from tests.building import lake_of
from tests.monitoring.test_live_results import SHARE, made
from tests.running import rankloop

DAY = date(2026, 10, 2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with a day of base rankings and one of ours."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    sums = made(np.random.default_rng(3), 200, 0.04)
    control = sums.take(sums.policy == "base")
    for day, found in ((DAY - timedelta(days=1), control), (DAY, sums)):
        rows = pa.Table.from_pylist(live_results(found, SHARE, day), SCHEMA.remove(0))
        lake_of(settings).replace_day(LIVE, day, rows, SCHEMA)
    return settings


def printed(settings: Settings, day: date | None = None) -> str:
    console = Console(file=StringIO(), width=80)
    terminal.print_live_results(console, lake_of(settings), day)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_command_shows_the_newest_day_with_intervals(settings: Settings) -> None:
    answer = rankloop("live", "show", environment={"RANKLOOP_HOME": str(settings.home)})
    assert answer.returncode == 0, answer.stderr
    [row] = [
        row
        for row in lake_of(settings).read(LIVE, [DAY]).to_pylist()
        if (row["arm"], row["policy"], row["surface"], row["k"]) == ("difference", "all", "home", 10)
    ]
    assert f"{DAY}: home lists" in answer.stdout
    interval = f"{row['value'] * 100:+.2f} [{row['low'] * 100:.2f}, {row['high'] * 100:.2f}]"
    assert interval in next(line for line in answer.stdout.splitlines() if "CTR@10" in line)


def test_a_day_of_base_rankings_shows_control_alone(settings: Settings) -> None:
    line = next(line for line in printed(settings, DAY - timedelta(days=1)).splitlines() if "CTR@10" in line)
    assert line.split()[-2:] == ["-", "-"]


def test_every_policy_has_its_line(settings: Settings) -> None:
    text = printed(settings)
    assert [line.split()[:3] for line in text.splitlines() if " home " in line and "lists" not in line] == [
        ["control", "base", "home"],
        ["personalised", "version", "1"],
    ]


def test_a_day_that_is_not_judged_is_named(settings: Settings, tmp_path: Path) -> None:
    assert "No live results of 2026-10-09: there are 2026-10-01 to 2026-10-02." in printed(settings, date(2026, 10, 9))
    assert "No live results of any day: no day is judged yet." in printed(Settings(home=tmp_path))


def test_the_days_with_rankings_of_ours_are_known(settings: Settings) -> None:
    assert terminal.judged_days(lake_of(settings)) == [DAY - timedelta(days=1), DAY]
    assert terminal.personalised_days(lake_of(settings)) == [DAY]


def test_the_story_has_a_line_a_day_and_says_what_happened(settings: Settings) -> None:
    console = Console(file=StringIO(), width=160)
    days = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    terminal.print_day_results(
        console, lake_of(settings), days, {DAY: "ok: nothing is wrong"}, {days[2]: "taste_shift"}
    )
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    before, shown, begins, last, _ = lines[-5:]
    assert before.split()[:2] == ["01", "Oct"]
    assert before.split()[-2:] == ["-", "-"]
    assert "version 1" in shown
    assert shown.count("[") == 2
    assert shown.rstrip().endswith("ok: nothing is wrong")
    assert begins.split() == ["03", "Oct", "taste_shift"]
    assert last.split() == ["03", "Oct", "-", "-", "-"]
