"""Reading ahead: while a chunk is loaded the next one is read, and nothing outlives the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.prefetch import Prefetcher
from cogny_source.errors import NetworkError, Stopped
from cogny_source.records.chunk import Chunk

PATIENCE_SECONDS = 20


def wait_until(reached: threading.Event) -> None:
    """Wait for another thread."""
    assert reached.wait(PATIENCE_SECONDS)


def test_one_chunk_is_read_ahead_and_no_more() -> None:
    """The second chunk is there while the first is in use; the third is not begun before the second is asked for."""
    begun = [threading.Event() for _ in range(4)]

    def read() -> Iterator[Chunk]:
        for number, event in enumerate(begun):
            event.set()
            yield Chunk(rows=number)

    with Prefetcher(1, CancelToken()) as ahead:
        chunks = ahead(read())
        wait_until(begun[0])
        assert next(chunks).rows == 0
        wait_until(begun[1])
        assert not begun[2].wait(0.05)
        assert [chunk.rows for chunk in chunks] == [1, 2, 3]


def test_resources_are_read_side_by_side() -> None:
    """Two readers that wait for each other both come to their end."""
    meeting = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def read() -> Iterator[Chunk]:
        meeting.wait()
        yield Chunk()

    with Prefetcher(2, CancelToken()) as ahead:
        readers = [ahead(read()), ahead(read())]
        assert [len(list(chunks)) for chunks in readers] == [1, 1]


def test_what_was_read_comes_before_the_failure() -> None:
    """A failure is raised where it belongs: after the chunk that was complete before it."""

    def read() -> Iterator[Chunk]:
        yield Chunk(rows=1)
        raise NetworkError("gone")

    with Prefetcher(1, CancelToken()) as ahead:
        chunks = ahead(read())
        assert next(chunks).rows == 1
        with pytest.raises(NetworkError, match="gone"):
            next(chunks)


def test_a_reader_that_waits_ends_with_the_run() -> None:
    """Where the loading fails nobody waits for the hour that a reader waits for, and the run's own flag stays down."""
    run, waiting = CancelToken(), threading.Event()
    stop = run.linked()

    def read() -> Iterator[Chunk]:
        waiting.set()
        stop.sleep(3600)
        yield Chunk()

    start = time.monotonic()
    with Prefetcher(1, stop) as ahead:
        ahead(read())
        wait_until(waiting)
    assert time.monotonic() - start < PATIENCE_SECONDS
    run.check()


def test_a_signal_ends_the_readers_too() -> None:
    """A signal that comes before a reader begins, or after, is heeded by both flags."""
    early, late = CancelToken(), CancelToken()
    early.set(15)
    followers = [early.linked(), late.linked()]
    late.set(15)
    for flag in (early, late, *followers):
        with pytest.raises(Stopped, match="signal 15"):
            flag.check()
