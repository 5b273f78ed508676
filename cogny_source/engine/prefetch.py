"""Reading ahead: each resource in a thread of its own, one chunk further than what is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from cogny_source.engine.cancellation import CancelToken
from cogny_source.records.chunk import Chunk


class Prefetcher:
    """Threads that read while others load; a context that leaves none of them behind.

    Args:
        resources: How many resources are read.
        stop: Set with the end of the context, so that they end too.
    """

    def __init__(self, resources: int, stop: CancelToken) -> None:
        self._pool = ThreadPoolExecutor(resources, thread_name_prefix="resource")
        self._stop = stop

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Begin to read, in a thread, and give the chunks; while one is in use the next is read, and no more."""
        return self._follow(chunks, self._pool.submit(next, chunks, None))

    def _follow(self, chunks: Iterator[Chunk], coming: Future[Chunk | None]) -> Iterator[Chunk]:
        while (chunk := coming.result()) is not None:
            coming = self._pool.submit(next, chunks, None)
            yield chunk

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        # Whoever presses Ctrl-C twice waits for no answer.
        patient = not isinstance(sys.exc_info()[1], KeyboardInterrupt)
        self._stop.set(0)
        self._pool.shutdown(wait=patient, cancel_futures=True)
        return False
