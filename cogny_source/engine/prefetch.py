"""Reads ahead: each resource in its own thread, one chunk ahead of the load."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Literal

from cogny_source.engine.cancellation import CancelToken
from cogny_source.extract.pool import OpenPool, ThreadPool
from cogny_source.records.chunk import Chunk


class Prefetcher:
    """Threads that read while the main thread loads. Leaving the context ends them.

    Args:
        resources: The number of resources.
        stop: Set at the end of the context, to stop the threads.
        open_pool: Opens the pool of threads.
    """

    def __init__(self, resources: int, stop: CancelToken, open_pool: OpenPool = ThreadPool) -> None:
        self._pool = open_pool(resources, "resource")
        self._stop = stop

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Start to read in a thread, and yield the chunks; while one is in use, only the next is read."""
        return self._read_ahead(chunks, self._pool.submit(next, chunks, None))

    def _read_ahead(self, chunks: Iterator[Chunk], upcoming: Future[Chunk | None]) -> Iterator[Chunk]:
        while (chunk := upcoming.result()) is not None:
            upcoming = self._pool.submit(next, chunks, None)
            yield chunk

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        # After a second Ctrl-C, do not wait for open requests.
        waits = not isinstance(sys.exc_info()[1], KeyboardInterrupt)
        self._stop.set(0)
        self._pool.shutdown(wait=waits, cancel_futures=True)
        return False
