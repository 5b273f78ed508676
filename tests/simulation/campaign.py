"""Plays many scenarios on all cores, and shrinks the first that fail."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from tests.simulation.judge import judge
from tests.simulation.play import simulated
from tests.simulation.scenario import Scenario
from tests.simulation.shrink import shrink

BATCH = 50
Part = TypeVar("Part")
MOST_SHRUNK = 3


@dataclass
class Tally:
    """What came of some scenarios.

    Attributes:
        worlds: How many were played.
        runs: How many runs of the sync that took.
        requests: How many requests they sent.
        limits: How many worlds belong to each named class of differences that the next sync does not find.
        failures: The name of each world that failed, with what broke.
    """

    worlds: int = 0
    runs: int = 0
    requests: int = 0
    limits: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.worlds += other.worlds
        self.runs += other.runs
        self.requests += other.requests
        self.limits.update(other.limits)
        self.failures |= other.failures


def play_all(make: Callable[[int], Scenario], numbers: Iterable[int]) -> Tally:
    """Play scenarios in this process."""
    tally = Tally()
    with simulated():
        for number in numbers:
            verdict = judge(make(number))
            tally.add(Tally(1, verdict.runs, verdict.requests, Counter(verdict.limits)))
            if verdict.failure is not None:
                tally.failures[number] = verdict.told
    return tally


def map_on_all_cores(work: Callable[..., Part], calls: Sequence[tuple[Any, ...]], jobs: int | None) -> Iterator[Part]:
    """The results of calls side by side, in their order.

    Args:
        work: A function of a module, as other processes call it.
        calls: The arguments of each call.
        jobs: The number of processes; None for one a core.
    """
    with ProcessPoolExecutor(jobs or os.cpu_count(), get_context("spawn")) as pool:
        for future in [pool.submit(work, *arguments) for arguments in calls]:
            yield future.result()


def split_into_batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    """The numbers in lists of `BATCH`."""
    waiting = iter(numbers)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def describe(make: Callable[[int], Scenario], number: int, command: str) -> str:
    """What broke in a scenario, its smallest form, and the command that plays it again."""
    return f"{describe_scenario(make(number))}\nplay it again: {command} {number}"


def describe_scenario(scenario: Scenario) -> str:
    """What broke in a scenario, and its smallest form."""
    with simulated():
        verdict = judge(scenario)
        if verdict.failure is None:
            return "nothing broke"
        smallest = shrink(scenario, lambda smaller: judge(smaller).failure == verdict.failure)
        told = judge(smallest).told
    return f"{verdict.told}\nits smallest form: {told}\n{smallest}"


def describe_failures(make: Callable[[int], Scenario], tally: Tally, command: str) -> str:
    """The first failures in their smallest form."""
    told = [describe(make, number, command) for number in islice(tally.failures, MOST_SHRUNK)]
    return "\n\n".join([f"{len(tally.failures)} of {tally.worlds} worlds failed: {list(tally.failures)[:50]}", *told])
