"""Plays a scenario to its end and tells what broke, in a form that shrinking can compare."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.simulation.oracle import Oracle, Wrong, settle
from tests.simulation.play import Simulation
from tests.simulation.scenario import Scenario


@dataclass(frozen=True)
class Verdict:
    """How a scenario ended.

    Attributes:
        failure: What broke, in a few words that stay the same while the scenario is shrunk; None if nothing did.
        told: What was seen.
        limits: The named classes of differences that the next sync did not find.
        runs: How many runs were played.
        requests: How many requests they sent.
    """

    failure: str | None = None
    told: str = ""
    limits: tuple[str, ...] = ()
    runs: int = 0
    requests: int = 0


def judge(scenario: Scenario) -> Verdict:
    """Play a scenario; call it inside `simulated()`."""
    simulation = Simulation(scenario)
    broken: list[Verdict] = []
    limits: tuple[str, ...] = ()
    with explain(broken.append):
        for script in scenario.runs:
            Oracle(simulation).check_run(simulation.run(script))
            simulation.catch_up()
        limits = settle(simulation)
    runs, requests = len(simulation.ended), sum(ended.requests for ended in simulation.ended)
    found = broken[0] if broken else Verdict()
    return replace(found, limits=limits, runs=runs, requests=requests)


@contextmanager
def explain(note: Callable[[Verdict], object]) -> Iterator[None]:
    """Hand over what broke in the block, a crash too."""
    try:
        yield
    except Wrong as error:
        note(Verdict(error.kind, str(error)))
    except Exception as error:  # noqa: BLE001  a crash is a finding too
        frame = traceback.extract_tb(error.__traceback__)[-1]
        note(Verdict(f"{type(error).__name__} in {Path(frame.filename).name}:{frame.name}", repr(error)))
