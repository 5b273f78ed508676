"""Shrinks a scenario that fails to fewer runs, events, rows and habits, as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.world import Habits

MOST_TRIES = 2_000


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """The smallest scenario that still fails, as far as single steps lead to it.

    Args:
        scenario: A scenario that fails.
        fails: Whether a scenario fails in the same way.
    """
    tries = 0
    improved = True
    while improved and tries < MOST_TRIES:
        improved = False
        for smaller in propose(scenario):
            tries += 1
            if fails(smaller):
                scenario, improved = smaller, True
                break
            if tries >= MOST_TRIES:
                break
    return scenario


def propose(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios that are a step smaller, the largest steps first."""
    runs = scenario.runs
    for place in range(len(runs)):
        yield replace(scenario, runs=runs[:place] + runs[place + 1 :])
    if scenario.seed is not None:
        yield replace(scenario, seed=None)
    for name in scenario.resources if len(scenario.resources) > 1 else ():
        yield _without_resource(scenario, name)
    for name, rows in scenario.births.items():
        for size in {max(1, len(rows) // 2), 1}:
            for start in range(0, len(rows), size):
                yield _with_births(scenario, name, rows[:start] + rows[start + size :])
    for place, run in enumerate(runs):
        for smaller in _propose_runs(run):
            yield replace(scenario, runs=(*runs[:place], smaller, *runs[place + 1 :]))
    yield from _propose_defaults(scenario, Scenario(), ("overlap_seconds", "start_days", "settle"))
    for habits in _propose_defaults(scenario.habits, Habits(), tuple(field.name for field in fields(Habits))):
        yield replace(scenario, habits=habits)


def _propose_runs(run: RunScript) -> Iterator[RunScript]:
    for place in range(len(run.events)):
        yield replace(run, events=run.events[:place] + run.events[place + 1 :])
    for place, event in enumerate(run.events):
        for smaller in _propose_events(event):
            yield replace(run, events=(*run.events[:place], smaller, *run.events[place + 1 :]))
    names = tuple(field.name for field in fields(RunScript) if field.name not in ("events", "resources"))
    yield from _propose_defaults(run, RunScript(), names)


def _propose_events(event: Event) -> Iterator[Event]:
    for step in {0, event.step // 2, event.step - 1}:
        if 0 <= step < event.step:
            yield replace(event, step=step)
    if event.place:
        yield replace(event, place=0)
        yield replace(event, place=event.place // 2)
    if event.ties:
        yield replace(event, ties=False)


def _propose_defaults(value: Any, default: Any, names: tuple[str, ...]) -> Iterator[Any]:
    for name in names:
        if getattr(value, name) != getattr(default, name):
            yield replace(value, **{name: getattr(default, name)})


def _with_births(scenario: Scenario, name: str, rows: tuple[tuple[float, float], ...]) -> Scenario:
    return replace(scenario, births={**scenario.births, name: rows})


def _without_resource(scenario: Scenario, name: str) -> Scenario:
    kept = tuple(other for other in scenario.resources if other != name)
    runs = tuple(
        replace(
            run,
            resources=tuple(other for other in run.resources if other != name) or kept[:1],
            events=tuple(event for event in run.events if event.resource != name),
        )
        for run in scenario.runs
    )
    births = {other: rows for other, rows in scenario.births.items() if other != name}
    return replace(scenario, resources=kept, runs=runs, births=births)
