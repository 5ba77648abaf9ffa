"""Polls for a new value in a background thread, so that no request waits for it."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from rankloop.errors import RankloopError

log = logging.getLogger(__name__)
Value = TypeVar("Value")


class PollingWatcher(Generic[Value]):
    """Keeps the newest value that `fetch` returned.

    The value is replaced as a whole, so a request that took it keeps it until it ends. `fetch` gets the previous value.
    """

    def __init__(self, name: str, fetch: Callable[[Value | None], Value | None], interval_s: float) -> None:
        self.name = name
        self.value: Value | None = None
        self.error = "it was not fetched yet"
        """Why the last fetch failed; empty if it succeeded."""
        self._fetch = fetch
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._polling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"watch {name}", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop polling."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def poll(self) -> Value | None:
        """Fetch now; if that fails, the previous value stays."""
        with self._polling:
            try:
                self.value, error = self._fetch(self.value), ""
            except RankloopError as problem:
                error = str(problem)
            except Exception as problem:
                log.exception("fetching %s", self.name)
                error = f"{type(problem).__name__}, see the log"
            if error and error != self.error:
                log.warning("%s: %s", self.name, error)
            self.error = error
            return self.value

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.poll()
            self._stopped.wait(self._interval_s)
