"""Pages of incidents, as the runbook shows them to whoever has not met one yet."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from rankloop.monitoring.pages import told
from rankloop.settings import Settings
from tests.monitoring.measured_rows import DAY, Measured, against, before, psi, verdict, wrong_unit

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")
MET = {
    "a wrong unit": wrong_unit(DAY),
    "inputs that moved": [*psi(DAY, product_price=0.6), *psi(before(1), product_price=0.6)],
    "worse than control": [
        *psi(DAY),
        *psi(before(1)),
        against(before(1), -0.03, -0.01),
        against(before(2), -0.04, -0.01),
    ],
}


@pytest.mark.parametrize("rows", MET.values(), ids=MET)
def test_the_runbook_shows_the_page_as_it_is(rows: Sequence[Measured]) -> None:
    found = verdict(rows)
    [cause] = found.causes
    page = told(Settings(), cause, found)
    assert f"```markdown\n{page}```" in RUNBOOK
