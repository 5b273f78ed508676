"""Which tests and worlds reach which line, so that a mutant is tried by those alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from _pytest.runner import runtestprotocol
from coverage import Coverage

from tests.mutation.places import find_path, list_modules
from tests.mutation.session import Figures
from tests.simulation.draw import draw_scenario
from tests.simulation.judge import judge
from tests.simulation.play import simulated

TEST, WORLD = "test ", "world "


@dataclass
class Reach:
    """What each test and each world does without a change.

    Attributes:
        reached: Module and line to the names of the tests and the seeds of the worlds that reach it.
        seconds: The CPU that each test takes, by name.
        figures: The classes of each world's differences, and its requests, by seed.
    """

    reached: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[str, float] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)

    def tests(self, module: str, line: int) -> list[str]:
        """The tests that reach a line, the quickest first."""
        return sorted(self._names(TEST, module, line), key=self.seconds.__getitem__)

    def worlds(self, module: str, line: int) -> list[int]:
        """The seeds of the worlds that reach a line."""
        return sorted(map(int, self._names(WORLD, module, line)))

    def _names(self, kind: str, module: str, line: int) -> list[str]:
        return [name.removeprefix(kind) for name in self.reached[module, line] if name.startswith(kind)]


def measure(items: Sequence[pytest.Item], worlds: int) -> Reach:
    """Run each test and play each world; all must pass.

    Args:
        items: The tests.
        worlds: How many worlds, from the first seed on.
    """
    reach = Reach()
    with _recorded(reach) as coverage:
        for item in items:
            coverage.switch_context(TEST + item.nodeid)
            began = time.process_time()
            assert passes(item), item.nodeid
            reach.seconds[item.nodeid] = time.process_time() - began
        with simulated():
            for seed in range(worlds):
                coverage.switch_context(WORLD + str(seed))
                verdict = judge(draw_scenario(seed))
                assert verdict.failure is None, verdict.told
                reach.figures[seed] = verdict.limits, verdict.requests
    return reach


def passes(item: pytest.Item) -> bool:
    """Run a test; whether it passes."""
    return not any(report.failed for report in runtestprotocol(item, log=False))


@contextmanager
def _recorded(reach: Reach) -> Iterator[Coverage]:
    paths = {str(find_path(module)): module for module in list_modules()}
    coverage = Coverage(data_file=None, include=list(paths), messages=False, config_file=False)
    coverage.start()
    try:
        yield coverage
    finally:
        coverage.stop()
    data = coverage.get_data()
    for path, module in paths.items():
        for line, names in data.contexts_by_lineno(path).items():
            reach.reached[module, line] += names
