"""Read several cursors at once, and a little ahead of the consumer of their batches.

While one batch is turned into rows, the server already works on the next ones. Only a few batches are ever held.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from queue import Empty, Queue
from threading import Event, Thread

from pymongo.errors import ConnectionFailure

from rankloop.mongo import MongoUnavailableError

Cursor = Callable[[], Iterator[bytes]]
NOTICE_S = 0.1
"""How often a reader whose batches nobody takes any more looks whether it may end."""


def read_ahead(cursors: Sequence[Cursor], readers: int) -> Iterator[bytes]:
    """Yield the batches of all cursors as they arrive; each cursor is opened in the thread that reads it."""
    reading = _Reading(cursors, min(readers, len(cursors)))
    with closing(reading):
        yield from reading.batches()


class _Reading:
    def __init__(self, cursors: Sequence[Cursor], readers: int) -> None:
        self._cursors = deque(cursors)
        self._batches: Queue[bytes | Exception | None] = Queue(maxsize=readers)
        self._stopped = Event()
        self._threads = [Thread(target=self._read, daemon=True) for _ in range(readers)]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[bytes]:
        running = len(self._threads)
        while running:
            batch = self._batches.get()
            if batch is None:
                running -= 1
            elif isinstance(batch, ConnectionFailure):
                raise MongoUnavailableError(f"MongoDB went away in the middle of reading: {batch}") from batch
            elif isinstance(batch, Exception):
                raise batch
            else:
                yield batch

    def close(self) -> None:
        self._stopped.set()
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._batches.get(timeout=NOTICE_S)
            except Empty:
                continue

    def _read(self) -> None:
        """Put batches on the queue until no cursor is left, in a reader's thread; an error and the end go there too."""
        try:
            while cursor := self._next():
                for batch in cursor():
                    self._batches.put(batch)
                    if self._stopped.is_set():
                        return
        except Exception as error:  # noqa: BLE001  (whatever it is, it belongs to the consumer of the batches)
            self._batches.put(error)
        finally:
            self._batches.put(None)

    def _next(self) -> Cursor | None:
        try:
            return None if self._stopped.is_set() else self._cursors.popleft()
        except IndexError:
            return None
