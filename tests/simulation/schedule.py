"""Chance and scheduling from one seed: which reader is next, and what happens before a step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Any, Self

from cogny_source.errors import CognyError


class Killed(BaseException):
    """The process was killed here: nothing that it has not committed is left of it."""


class Task(Future[Any]):
    """A task that runs when the scheduler comes to it, or when its result is needed."""

    def __init__(self, scheduler: Scheduler, work: Callable[[], Any]) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._work = work

    def run(self) -> None:
        """Run to the end."""
        try:
            self.set_result(self._work())
        except CognyError as error:
            self.set_exception(error)

    def result(self, timeout: float | None = None) -> Any:
        """The result, after other tasks that the scheduler puts before it."""
        self._scheduler.run_until(self)
        return super().result(0)


class Scheduler:
    """Decides which of the waiting tasks is next. A task is a page of a parallel reader, or a chunk of a resource.

    Args:
        rng: Decides; None for the order in which the tasks were submitted.
    """

    def __init__(self, rng: Random | None) -> None:
        self._rng = rng
        self._waiting: list[Task] = []

    def submit(self, work: Callable[[], Any]) -> Task:
        """Add a task."""
        task = Task(self, work)
        self._waiting.append(task)
        return task

    def run_until(self, task: Task) -> None:
        """Run tasks until one is done."""
        while not task.done():
            self._run(self._choose(self._waiting) if self._rng and task in self._waiting else task)

    def run_any(self, tasks: Collection[Task]) -> None:
        """Run one or more of some tasks, and perhaps others before them."""
        while not any(task.done() for task in tasks):
            self._run(self._choose([task for task in self._waiting if task in tasks]))

    def run_some(self) -> None:
        """Run some of the waiting tasks, as threads do while a load takes its time."""
        while self._rng and self._waiting and self._rng.random() < 0.5:
            self._run(self._choose(self._waiting))

    def _choose(self, tasks: list[Task]) -> Task:
        return self._rng.choice(tasks) if self._rng else tasks[0]

    def _run(self, task: Task) -> None:
        self._waiting.remove(task)
        task.run()

    def forget(self, tasks: Collection[Task]) -> None:
        """Drop tasks that were not begun."""
        self._waiting = [task for task in self._waiting if task not in tasks]

    def open_pool(self, size: int, prefix: str) -> SimulatedPool:
        """A pool whose tasks this scheduler runs."""
        return SimulatedPool(self)


class SimulatedPool:
    """Stands for a pool of threads.

    Args:
        scheduler: Runs its tasks.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._tasks: list[Task] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Add a task."""
        task = self._scheduler.submit(lambda: fn(*args))
        self._tasks.append(task)
        return task

    def wait_for_any(self, futures: Collection[Future[Any]]) -> set[Future[Any]]:
        """Run tasks until at least one of some is done."""
        tasks = [task for task in futures if isinstance(task, Task)]
        self._scheduler.run_any(tasks)
        return {task for task in tasks if task.done()}

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Run what was submitted, or drop it."""
        if cancel_futures:
            self._scheduler.forget(self._tasks)
        for task in self._tasks if wait and not cancel_futures else ():
            self._scheduler.run_until(task)
        self._tasks = []

    def __enter__(self) -> Self:
        """The pool itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Run the rest; after a kill nothing runs."""
        self.shutdown(cancel_futures=error is not None and not isinstance(error, Exception))
