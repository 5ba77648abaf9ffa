"""docs/evaluation.md says what the settings and the code say."""

import re
from pathlib import Path

import pytest

from rankloop.ranking.calibration import BINS
from rankloop.ranking.invariance import TOLERANCE
from rankloop.ranking.metrics import KS
from rankloop.settings.gate import GateSettings

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
GATE = PAGE.partition("The defaults of `[gate]`")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", GATE, re.MULTILINE))


def test_every_setting_of_the_gate_is_on_the_page() -> None:
    assert set(ROWS) == set(GateSettings.model_fields)


@pytest.mark.parametrize("name", sorted(GateSettings.model_fields))
def test_a_default_on_the_page_is_the_settings_own(name: str) -> None:
    value = getattr(GateSettings(), name)
    if isinstance(value, tuple):
        assert ROWS[name] == ", ".join(value)
    elif isinstance(value, dict):
        assert (ROWS[name], value) == ("none", {})
    else:
        assert ROWS[name] == str(value)


def test_the_page_names_the_ks_the_bins_and_the_tolerance_of_the_code() -> None:
    assert f"k = {', '.join(map(str, KS[:-1]))} and {KS[-1]}" in PAGE
    assert BINS == 10
    assert "ten bins" in PAGE
    assert f"more than {TOLERANCE:g}".replace("e-09", "e-9") in " ".join(PAGE.split())
