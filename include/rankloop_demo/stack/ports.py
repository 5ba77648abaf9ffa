"""Checks that the stack's ports are free before anything is started on them."""

import errno
import socket

import psutil

from rankloop.errors import RankloopError
from rankloop.settings import variable
from rankloop.settings.ports import Ports

SERVERS = {"airflow": "Airflow", "mlflow": "MLflow", "mongo": "the embedded MongoDB", "serving": "the serving app"}


FIRST_FOR_EVERYBODY = 1024


class PortTakenError(RankloopError):
    """One or more ports that the stack needs are not available."""


def refuse_taken_ports(ports: Ports, needed: list[str]) -> None:
    """Say all at once which of these ports are not free, who has them, and how to take others."""
    if problems := [problem for name in needed if (problem := _problem(name, ports))]:
        raise PortTakenError("\n".join(problems))


def _problem(name: str, ports: Ports) -> str | None:
    port: int = getattr(ports, name)
    try:
        _bind(port)
    except OSError as error:
        way_out = f"Choose another, in .env so that it stays: {variable(f'ports.{name}')}={_another(port, ports)}"
        if error.errno == errno.EADDRINUSE:
            return f"port {port} for {SERVERS[name]} is taken by {_holder(port)}. {way_out}"
        return f"port {port} for {SERVERS[name]} cannot be used: {error.strerror}. {way_out}"
    return None


def _bind(port: int) -> None:
    with socket.socket() as probe:
        # Without it, connections of a stack just ended would count as taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "a process of another user"


def _another(port: int, ports: Ports) -> int:
    """Return the next port that is free and none of ours."""
    candidates = [*range(max(port + 1, FIRST_FOR_EVERYBODY), 65536), *range(8081, 65536)]
    return next((other for other in candidates if other not in ports.model_dump().values() and _is_free(other)), port)


def _is_free(port: int) -> bool:
    try:
        _bind(port)
    except OSError:
        return False
    return True
