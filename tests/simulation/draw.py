"""Draws a scenario by lot: one seed is one world."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.api import SORTS
from tests.simulation.scenario import DAY, Event, Kind, RunScript, Scenario
from tests.simulation.world import Habits

FILTERS = (
    frozenset({"created_after", "created_before", "updated_after", "updated_before"}),
    frozenset({"updated_after"}),
    frozenset({"created_after"}),
    frozenset({"created_before", "updated_before"}),
)
CHANGES: tuple[Kind, ...] = ("change", "change", "change", "create", "create")
REMOVALS: tuple[Kind, ...] = (
    "delete", "delete", "delete_many", "revive", "revive_changed", "alter_silently", "restore",
)  # fmt: skip
ACCIDENTS: tuple[Kind, ...] = (
    "kill", "kill", "fail", "stop", "refuse_load", "other_machine", "other_machine", "ignore_filters",
)  # fmt: skip
MOST_STEPS = 40


def draw_scenario(seed: int) -> Scenario:
    """The scenario of a seed."""
    rng = Random(seed)
    habits = _draw_habits(rng)
    resources = rng.choice((("tickets",), ("tickets",), ("tickets", "reports"), ("tickets", "reports", "warehouses")))
    births = {name: _draw_births(rng, 30 if name == "tickets" else 8, name) for name in resources}
    if habits.lifetime_pages is not None:  # rows of one timestamp that outlive a cursor cannot be read by anyone
        births = {
            name: tuple((created + place, updated + place) for place, (created, updated) in enumerate(rows))
            for name, rows in births.items()
        }
    removes = rng.random() < 0.6
    runs = tuple(
        _draw_run(rng, resources, removes=removes, ties=habits.lifetime_pages is None) for _ in range(rng.randint(1, 4))
    )
    asks = Random(f"{seed}: what is asked")
    start_days = rng.choice((None, None, None, 6.5, 30.0))
    return Scenario(
        seed,
        habits,
        births,
        _draw_starts(asks, tuple(_vary(asks, run, resources) for run in runs), start_days),
        overlap_seconds=rng.choice((0.0, 1.0, 60.0, 600.0)) if habits.clock == "meta" else rng.choice((60.0, 600.0)),
        start_days=start_days,
        settle=rng.choice(("next", "next", "next", "week")),
        resources=resources,
    )


def _vary(rng: Random, run: RunScript, resources: tuple[str, ...]) -> RunScript:
    """A run that may have to ask before masses of rows are marked, and whose cursors may expire before their time."""
    expiries = [
        _draw_event(rng, ("forget_cursors",), resources, ties=False) for _ in range(rng.choice((0, 0, 0, 1, 3)))
    ]
    events = tuple(sorted((*run.events, *expiries), key=lambda event: event.step))
    return replace(
        run,
        events=events,
        accept_deletions=rng.random() < 0.6,
        clock_ahead_seconds=rng.choice((*[0.0] * 12, -3600.0, -60.0, 200.0, 3600.0, 3 * DAY)),
        window_days=rng.choice((*[None] * 12, (20.0, 3.0), (5.0, 1.0))),
    )


def _draw_starts(rng: Random, runs: tuple[RunScript, ...], start_days: float | None) -> tuple[RunScript, ...]:
    """Some first runs may begin later than those after them."""
    later = rng.randrange(len(runs)) if start_days is not None and rng.random() < 0.5 else 0
    return tuple(replace(run, start_days=start_days if place >= later else 3.0) for place, run in enumerate(runs))


def _draw_habits(rng: Random) -> Habits:
    cursors = rng.choice(("place", "place", "count", "row", "expiring"))
    # A list in an order of its own that outlives its cursors cannot be read by anyone.
    own_way = 0.0 if cursors == "expiring" else 0.35
    clock: Any = rng.choice(("meta", "meta", "meta", "date", None))
    lags = rng.random() < 0.2
    return Habits(
        order=rng.choice(tuple(SORTS)) if rng.random() < own_way else "heeded",  # type: ignore[arg-type]
        ignored=rng.choice(FILTERS) if rng.random() < own_way else frozenset(),
        inclusive=rng.random() < 0.5,
        cursors="place" if cursors == "expiring" else cursors,  # type: ignore[arg-type]
        lifetime_pages=rng.choice((3, 5)) if cursors == "expiring" else None,
        count=rng.choice(("filtered", "filtered", "filtered", "all", None)),  # type: ignore[arg-type]
        surplus=rng.choice((0,) * 9 + (2,)),
        page_rows=rng.choice((1, 2, 2, 3, 5) if cursors != "expiring" else (3, 5)),
        whole=frozenset({"warehouses"} if rng.random() < 0.5 else ()) | ({"tickets"} if rng.random() < 0.07 else set()),
        single_rows=rng.choice(("right",) * 6 + ("none", "none", "refused", "kept")),  # type: ignore[arg-type]
        refuses_newest=rng.random() < 0.05,
        requests_per_minute=rng.choice((1000.0, 1000.0, 1000.0, 60.0, None)),
        spare=rng.choice((None, None, None, 1, 2)),
        lag_seconds=rng.choice((0.2, 5.0, 300.0)) if lags else 0.0,
        lag_every=rng.choice((1, 1, 2, 3)),
        clock=clock,
        clock_offset_seconds=rng.choice((0.0, 0.0, 0.0, -3600.0, 30.0)) if clock == "meta" else 0.0,
        tick_seconds=rng.choice((0.0, 0.001, 0.05, 0.5)) if cursors != "expiring" else 2.0,
    )


def _draw_births(rng: Random, most: int, name: str) -> tuple[tuple[float, float], ...]:
    """Days since creation and since the last change; some rows share them."""
    count = rng.randint(0, most if rng.random() < 0.3 else min(most, 8))
    ties = rng.choice((0.0, 0.2, 0.6))
    created: list[float] = []
    for _ in range(count):
        created.append(rng.choice(created) if created and rng.random() < ties else rng.uniform(0.01, 12.0))
    return tuple((days, days if rng.random() < 0.4 else days * rng.random()) for days in sorted(created, reverse=True))


def _draw_run(rng: Random, resources: tuple[str, ...], *, removes: bool, ties: bool) -> RunScript:
    kinds = CHANGES + (REMOVALS if removes else ())
    events = [_draw_event(rng, kinds, resources, ties=ties) for _ in range(rng.choice((0, 1, 2, 4, 8)))]
    events += [_draw_event(rng, ACCIDENTS, resources, ties=False) for _ in range(rng.choice((0, 1, 1, 2)))]
    return RunScript(
        tuple(sorted(events, key=lambda event: event.step)),
        wait_seconds=rng.choice((1.0, 60.0, 3600.0, DAY)),
        chunk_rows=rng.choice((2, 3, 5, 10_000)),
        workers=rng.choice((1, 1, 3)),
        census=rng.choice(("never", "auto", "auto", "auto", "always")),  # type: ignore[arg-type]
        full_refresh=rng.random() < 0.1,
        verify=rng.random() < 0.3,
        resources=tuple(sorted(rng.sample(resources, rng.randint(1, len(resources))), key=resources.index))
        if rng.random() < 0.2
        else resources,
    )


def _draw_event(rng: Random, kinds: tuple[Kind, ...], resources: tuple[str, ...], *, ties: bool) -> Event:
    step = rng.randrange(MOST_STEPS if rng.random() < 0.3 else 12)
    kind = rng.choice(kinds)
    return Event(step, kind, rng.choice(resources), rng.randrange(30), ties=ties and rng.random() < 0.2)
