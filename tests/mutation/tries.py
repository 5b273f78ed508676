"""Tries a mutant with the tests and worlds that reach it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

import pytest

from tests.mutation.places import Mutant
from tests.mutation.reach import Reach, passes
from tests.mutation.session import Figures, SeenBy
from tests.simulation.draw import draw_scenario
from tests.simulation.judge import judge
from tests.simulation.play import simulated
from tests.simulation.test_simulation import WORLDS_A_FIGURE

# Of CPU: a test that takes longer is tried after the first worlds; and one that is slow for its own module alone.
QUICK_SECONDS = 0.03
SLOW_SECONDS = 0.3


def try_mutant(mutant: Mutant, items: Mapping[str, pytest.Item], reach: Reach) -> SeenBy:
    """What shows a mutant that is in place: quick tests and some worlds that reach it, then the others."""
    names = [name for name in reach.tests(mutant.module, mutant.line) if name in items]
    quick = [items[name] for name in names if reach.seconds[name] < QUICK_SECONDS]
    own = f"/test_{mutant.module.rpartition('.')[2]}"
    slow = [
        items[name]
        for name in names
        if reach.seconds[name] >= QUICK_SECONDS and (own in name or reach.seconds[name] < SLOW_SECONDS)
    ]
    seeds = reach.worlds(mutant.module, mutant.line)
    first = [seed for seed in seeds if seed // WORLDS_A_FIGURE == seeds[0] // WORLDS_A_FIGURE]
    attempts = (
        lambda: try_tests(quick),
        lambda: try_worlds(first, reach.figures),
        lambda: try_tests(slow),
        lambda: try_worlds(seeds[len(first) :], reach.figures),
    )
    return next((seen for attempt in attempts if (seen := attempt()) is not SeenBy.NOTHING), SeenBy.NOTHING)


def try_tests(items: Sequence[pytest.Item]) -> SeenBy:
    """Whether one of some tests fails."""
    return SeenBy.NOTHING if all(map(passes, items)) else SeenBy.TEST


def try_worlds(seeds: Sequence[int], figures: Figures) -> SeenBy:
    """What worlds show, in the parts in which `test_random_worlds_end_exact` plays them.

    Args:
        seeds: The worlds, in order.
        figures: The classes and the requests of each without a change.
    """
    with simulated():
        for _, part in groupby(seeds, key=lambda seed: seed // WORLDS_A_FIGURE):
            limits: Counter[str] = Counter()
            requests = 0
            for seed in part:
                verdict, (known, usual) = judge(draw_scenario(seed)), figures[seed]
                if verdict.failure is not None:
                    return SeenBy.WORLD
                limits.update(verdict.limits)
                limits.subtract(known)
                requests += verdict.requests - usual
            if any(limits.values()):
                return SeenBy.CLASSES
            if requests:
                return SeenBy.REQUESTS
    return SeenBy.NOTHING
