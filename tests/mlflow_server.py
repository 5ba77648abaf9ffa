"""The MLflow server alone, as in the Procfile, for tests that need no Airflow."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running import clean_environment, free_ports, wait_until

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "NO_PROXY": "127.0.0.1"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server on a free port with its data in this folder; gives its address."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_ports().mlflow
    command = [Path(sys.executable).with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env=clean_environment() | QUIET | {"PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,  # it starts workers, which have to end with it
        )
    try:
        wait_until(lambda: _answers(port), f"MLflow answers on port {port}; see {folder / 'log'}", within_s=180)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
