"""Forks: a session of tests that is collected once, and a process for each mutant."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Any

import pytest

from tests.mutation.places import Mutant

TIME_OUT_SECONDS = 150
Items = dict[str, pytest.Item]
# The classes of each world's differences, and its requests, by seed.
Figures = dict[int, tuple[tuple[str, ...], int]]


class SeenBy(IntEnum):
    """What shows a mutant; the exit code of its process."""

    TEST = 10
    WORLD = 11
    CLASSES = 12
    """A world needs more than the next sync where it did not before."""
    REQUESTS = 13
    NOTHING = 14


def collect(paths: Iterable[str], work: Callable[[Items], object]) -> None:
    """Collect tests, and call `work` with them, by name, in place of running them."""

    class Plugin:
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            work({item.nodeid: item for item in session.items})
            return True

    # Without a time limit of its own: the signal that ends a test would be the one that ends a mutant.
    pytest.main([*paths, "-s", "-o", "timeout=0", "-p", "no:cacheprovider"], plugins=[Plugin()])


def call_in_fork(work: Callable[[Callable[[Any], None]], object]) -> Iterator[Any]:
    """Run work in a process of its own; the work is given a function that sends a result.

    Yields:
        The results.
    """
    read, write = os.pipe()
    if not (process := os.fork()):
        os.close(read)
        with os.fdopen(write, "wb") as sink:

            def send(result: Any) -> None:
                pickle.dump(result, sink)
                sink.flush()

            _run_to_exit(lambda: int(bool(work(send))))
    os.close(write)
    with os.fdopen(read, "rb") as file:
        while True:
            try:
                yield pickle.load(file)
            except EOFError:
                break
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the measurement failed; its message stands above"


def try_each(mutants: Iterable[Mutant], jobs: int, attempt: Callable[[Mutant], SeenBy]) -> Iterator[tuple[Mutant, str]]:
    """Try each mutant in a process of its own, some at a time; yields what shows it."""
    running: dict[int, Mutant] = {}
    waiting = iter(mutants)
    while True:
        while len(running) < jobs and (mutant := next(waiting, None)) is not None:
            running[_fork_for(mutant, attempt)] = mutant
        if not running:
            return
        process, status = os.wait()
        yield running.pop(process), _name_end(os.waitstatus_to_exitcode(status))


def _fork_for(mutant: Mutant, attempt: Callable[[Mutant], SeenBy]) -> int:
    process = os.fork()
    if not process:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(TIME_OUT_SECONDS)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        _run_to_exit(lambda: attempt(mutant))
    return process


def _run_to_exit(work: Callable[[], int]) -> None:
    """End this process with the work's result as exit code, without what a process does at its end."""
    code = 1
    try:
        code = work()
    except BaseException:  # noqa: BLE001  told here, as nothing outlives this process
        traceback.print_exc()
    finally:
        os._exit(code)


def _name_end(code: int) -> str:
    """A crash and a mutant that never ends are seen too."""
    names: Mapping[int, str] = {one.value: one.name.lower() for one in SeenBy}
    return names.get(code, "no end" if code == -signal.SIGALRM else "crash")
