"""Pools of threads that read side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Protocol, Self


class Pool(Protocol):
    """Runs tasks side by side: a `ThreadPool`, or a scheduler that decides which task is next."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Begin a task."""

    def wait_for_any(self, futures: Collection[Future[Any]]) -> set[Future[Any]]:
        """Wait until at least one of some tasks is done; returns those that are."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool."""

    def __enter__(self) -> Self:
        """The pool itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Wait for all tasks, and end the pool."""


class ThreadPool(ThreadPoolExecutor):
    """A pool of threads."""

    def wait_for_any(self, futures: Collection[Future[Any]]) -> set[Future[Any]]:
        """Wait until at least one of some tasks is done; returns those that are."""
        return wait(futures, return_when=FIRST_COMPLETED).done


# Arguments: the number of threads, and a prefix of their names.
OpenPool = Callable[[int, str], Pool]
