"""Batches of several cursors, read ahead."""

from collections.abc import Iterator
from threading import enumerate as enumerate_threads

import pytest
from pymongo.errors import AutoReconnect

from rankloop.mongo import MongoUnavailableError
from rankloop.sources.mongo.read_ahead import read_ahead


def batches(*names: str) -> Iterator[bytes]:
    yield from (name.encode() for name in names)


def test_every_batch_of_every_cursor_comes_once() -> None:
    cursors = [lambda number=number: batches(*(f"{number}-{part}" for part in range(number))) for number in range(9)]
    expected = sorted(f"{number}-{part}".encode() for number in range(9) for part in range(number))
    for readers in (1, 3, 20):
        assert sorted(read_ahead(cursors, readers)) == expected


def test_no_cursor_gives_no_batch() -> None:
    assert list(read_ahead([], 2)) == []


def test_a_lost_connection_is_said_to_be_one() -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise AutoReconnect("gone")

    with pytest.raises(MongoUnavailableError, match="MongoDB went away in the middle of reading: gone"):
        list(read_ahead([broken], 1))


def test_any_other_error_of_a_reader_reaches_whoever_takes_the_batches() -> None:
    def broken() -> Iterator[bytes]:
        raise MemoryError("too much")
        yield b""

    with pytest.raises(MemoryError, match="too much"):
        list(read_ahead([broken, lambda: batches("a")], 2))


def test_readers_end_when_nobody_takes_their_batches_any_more() -> None:
    before = set(enumerate_threads())
    reading = read_ahead([lambda: batches(*map(str, range(1000))) for _ in range(4)], 4)
    next(reading)
    assert set(enumerate_threads()) - before
    reading.close()
    assert not set(enumerate_threads()) - before  # those of other tests may end meanwhile


def test_no_more_batches_wait_than_there_are_readers() -> None:
    made = []

    def counted() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"x"

    for taken, _ in enumerate(read_ahead([counted], 1), start=1):
        # One waits, one is being put, and one is being taken.
        assert len(made) <= taken + 3
