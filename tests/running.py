"""Ways for a test to run things: settings and ports of its own, the command line, a stack, a wait with a deadline."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from rankloop.champions.current import current_champion
from rankloop.context import open_context
from rankloop.registry.versions import Version
from rankloop.settings import PREFIX, Settings
from rankloop.settings.ports import Ports
from rankloop_demo.stack.lifecycle import StackFacts

DEMO_WITHIN_S = 1200
RANKLOOP = Path(sys.executable).with_name("rankloop")


@dataclass(frozen=True)
class RunningStack:
    """A real stack on ports of its own."""

    settings: Settings
    facts: StackFacts
    environment: dict[str, str]
    """With it, `rankloop` and whatever else is started speaks to this stack."""

    @property
    def airflow(self) -> str:
        """The address of Airflow."""
        return f"http://127.0.0.1:{self.settings.ports.airflow}"

    @property
    def mlflow(self) -> str:
        """The address of MLflow."""
        return f"http://127.0.0.1:{self.settings.ports.mlflow}"

    def rankloop(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the command line says about this stack."""
        return rankloop(*arguments, environment=self.environment)


def rankloop(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What the command line answers, told nothing by this shell's own settings."""
    return subprocess.run(
        [RANKLOOP, *arguments],
        env=clean_environment() | environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=DEMO_WITHIN_S,
        check=False,
    )


def champion_now(settings: Settings) -> Version | None:
    """The version that ranks now."""
    with open_context(settings) as context:
        return current_champion(context.state, context.registry)


def clean_environment() -> dict[str, str]:
    """The environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def settings_in(folder: Path, **more: object) -> Settings:
    """Settings with a home in this folder and free ports."""
    return Settings(home=folder / "home", ports=free_ports(), **more)  # type: ignore[arg-type]


def free_ports() -> Ports:
    """Four ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        airflow, mlflow, mongo, serving = (probe.getsockname()[1] for probe in sockets)
    return Ports(airflow=airflow, mlflow=mlflow, mongo=mongo, serving=serving)


def wait_until(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Return as soon as the condition holds; fail, saying what was awaited, when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)
