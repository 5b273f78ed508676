"""Plays a scenario to its end and tells what broke, in a form that shrinking can compare."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.oracle import Oracle, Wrong, settle
from tests.simulation.play import Simulation
from tests.simulation.scenario import Scenario

PACKAGE = "cogny_source"


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
    try:
        for script in scenario.runs:
            Oracle(simulation).check_run(simulation.run(script))
            simulation.catch_up()
        limits = settle(simulation)
    except Wrong as error:
        return _fail(simulation, error.kind, str(error))
    except Exception as error:  # noqa: BLE001  a crash is a finding too
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.name}"
        return _fail(simulation, f"{type(error).__name__} in {where}", f"{error!r}")
    return Verdict(None, "", limits, len(simulation.ended), _count(simulation))


def _fail(simulation: Simulation, failure: str, told: str) -> Verdict:
    return Verdict(failure, told, (), len(simulation.ended), _count(simulation))


def _count(simulation: Simulation) -> int:
    return sum(ended.requests for ended in simulation.ended)
