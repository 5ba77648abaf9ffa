"""The packages of the library import only those below them."""

import subprocess
import sys
from pathlib import Path


def test_every_package_imports_only_those_below_it() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo"]
    checked = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert " 0 broken" in checked.stdout
