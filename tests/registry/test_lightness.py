"""Nobody waits for MLflow who does not need it."""

import subprocess
import sys

import pytest

from tests.running import clean_environment

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("module", ["rankloop.cli.main", "rankloop.settings", "rankloop.registry.evidence"])
def test_mlflow_is_not_imported_by(module: str) -> None:
    script = f"import sys, {module}; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=clean_environment(), check=False).returncode == 0
