"""The embedded MongoDB-compatible server alone, for tests that need no Airflow."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo import MongoClient

from rankloop_demo.stack.tools import mongo_server

KEPT = {"admin", "config", "local"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server on a free port with its data in this folder; gives its address."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [mongo_server(), "--host", "127.0.0.1", "--port", "0", "--storage-path", folder, "--sync-on-commit"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout
            said = server.stdout.readline()  # with port 0 the first line says which one it took
            yield f"mongodb://127.0.0.1:{said.strip().rpartition(':')[2]}"
        finally:
            server.kill()


def emptied(uri: str) -> str:
    """The same address, with no database of a test before this one left."""
    with MongoClient[dict[str, object]](uri) as client:
        for name in set(client.list_database_names()) - KEPT:
            client.drop_database(name)
    return uri
