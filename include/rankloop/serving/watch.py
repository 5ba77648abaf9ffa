"""Looks for something new again and again, in a thread of its own, so that no request waits for it."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from rankloop.errors import RankloopError

log = logging.getLogger(__name__)
Found = TypeVar("Found")


class Watch(Generic[Found]):
    """The last that was found. It is replaced whole: who took it keeps it for as long as their request lasts."""

    def __init__(self, what: str, find: Callable[[Found | None], Found | None], every_s: float) -> None:
        self.what = what
        self.found: Found | None = None
        self.trouble = "it was not looked for yet"
        """Why the last look failed; empty if it did not."""
        self._find = find
        self._every_s = every_s
        self._ended = threading.Event()
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"watch {what}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def end(self, patience_s: float = 5.0) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(patience_s)

    def look(self) -> Found | None:
        """Look now; what was found before stays where the look fails."""
        with self._looking:
            try:
                self.found, trouble = self._find(self.found), ""
            except RankloopError as error:
                trouble = str(error)
            except Exception as error:
                log.exception("looking for %s", self.what)
                trouble = f"{type(error).__name__}, see the log"
            if trouble and trouble != self.trouble:
                log.warning("%s: %s", self.what, trouble)
            self.trouble = trouble
            return self.found

    def _run(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self._every_s)
