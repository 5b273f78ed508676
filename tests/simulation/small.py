"""Every small world: up to 3 rows, 2 pages, 2 changes at any point of two runs, and a kill at any point of the first.

Worlds that come to the same tables and rows go on alike. Hence a run is played once for all worlds that lead to its
beginning, and a kill is a look at the state before a step of a run that goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from tests.simulation.judge import Verdict, explain
from tests.simulation.oracle import Oracle, settle
from tests.simulation.play import Ended, Simulation, simulated
from tests.simulation.scenario import Event, Kind, RunScript, Scenario
from tests.simulation.world import Habits, Versions

ALL_FILTERS = frozenset({"created_after", "created_before", "updated_after", "updated_before"})
# Rows, and rows of a page.
SHAPES = ((1, 1), (2, 1), (3, 2))
CHANGES: tuple[tuple[Kind, int], ...] = (("change", 0), ("change", -1), ("delete", 0), ("delete", -1), ("create", 0))
MOST_CHANGES = 2
RUN = RunScript(chunk_rows=2)


def list_habits() -> list[Habits]:
    """Each kind of listing."""
    kinds = product(
        ("heeded", "oldest_first"), ((frozenset(), False), (frozenset(), True), (ALL_FILTERS, False)),
        ("place", "count"), ("filtered", None), (0, 2),
    )  # fmt: skip
    return [
        Habits(
            order=order,  # type: ignore[arg-type]
            ignored=ignored,
            inclusive=inclusive,
            cursors=cursors,  # type: ignore[arg-type]
            count=count,  # type: ignore[arg-type]
            lag_requests=lag,
            tick_seconds=0.0,
        )
        for order, (ignored, inclusive), cursors, count, lag in kinds
    ]


def list_parts() -> list[tuple[Habits, tuple[int, int]]]:
    """The parts into which all small worlds fall: a kind of listing, and the rows."""
    return [(habits, shape) for shape in SHAPES for habits in list_habits()]


@dataclass(frozen=True)
class State:
    """Rows and tables between two runs, and one way that leads there.

    Attributes:
        scenario: The way.
        content: The world and the tables.
        left: How many changes may still come.
        broken: Whether the run before was killed.
    """

    scenario: Scenario
    content: tuple[Any, ...]
    left: int
    broken: bool

    @property
    def key(self) -> str:
        """Equal for states from which everything goes on alike."""
        world, (rows, lists, history, states, _) = self.content[:-1], self.content[-1]
        kept = [[_without_load(row) for row in table.values()] for table in rows.values()]
        elements = [[(key, [one["value"] for one in some]) for key, some in table.items()] for table in lists.values()]
        newest = states[max(states, key=float)] if states else None
        return repr(
            (world, kept, elements, [list(table) for table in history.values()], newest, self.left, self.broken)
        )


@dataclass
class SmallTally:
    """What came of small worlds.

    Attributes:
        worlds: How many there are.
        runs: How many runs of the sync were played for them.
        limits: How many worlds belong to each named class.
        failures: What broke, and a scenario that shows it.
    """

    worlds: int = 0
    runs: int = 0
    limits: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Scenario] = field(default_factory=dict)

    def add(self, other: SmallTally) -> None:
        """Add another tally."""
        self.worlds += other.worlds
        self.runs += other.runs
        self.limits.update(other.limits)
        self.failures = {**other.failures, **self.failures}


class Recording(Simulation):
    """A simulation that keeps the state before and after what happens at each step."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.moments: list[tuple[int, int, tuple[Any, ...]]] = []

    def _do_events(self, *, may_fail: bool, before_commit: bool = False) -> None:
        self._note()
        happened = len(self._events)
        super()._do_events(may_fail=may_fail, before_commit=before_commit)
        if len(self._events) != happened:
            self._note(steps_back=1)

    def _note(self, steps_back: int = 0) -> None:
        self.moments.append((self._now.steps - steps_back, len(self._events), take_content(self)))


def take_content(simulation: Simulation) -> tuple[Any, ...]:
    """A copy of the world and the tables."""
    world, tables = simulation.world, simulation.tables
    rows = {name: dict(table) for name, table in tables.rows.items()}
    lists = {name: dict(table) for name, table in tables.lists.items()}
    history = {name: dict(table) for name, table in tables.history.items()}
    kept = (rows, lists, history, dict(tables.states), tables.loads)
    listed = {name: dict(table) for name, table in world.rows.items()}
    return (world.now, world.changes, dict(world._numbers), listed, kept)


def put_content(simulation: Simulation, content: tuple[Any, ...], versions: Versions) -> None:
    """Continue from a copy."""
    world, tables = simulation.world, simulation.tables
    world.now, world.changes, numbers, listed, (rows, lists, history, states, loads) = content
    world._numbers, world.rows = dict(numbers), {name: dict(table) for name, table in listed.items()}
    world.versions = versions
    tables.rows = {name: dict(table) for name, table in rows.items()}
    tables.lists = {name: dict(table) for name, table in lists.items()}
    tables.history = {name: dict(table) for name, table in history.items()}
    tables.states, tables.loads = dict(states), loads


class Explorer:
    """Plays all small worlds of one part.

    Args:
        habits: The kind of listing.
        shape: The number of rows, and of rows of a page.
    """

    def __init__(self, habits: Habits, shape: tuple[int, int]) -> None:
        rows, page_rows = shape
        births = tuple((9.0 - place, 8.5 - place) for place in range(rows))
        self._scenario = Scenario(habits=replace(habits, page_rows=page_rows), births={"tickets": births})
        # With one row the first is the last.
        self._changes = CHANGES if rows > 1 else tuple(change for change in CHANGES if change[1] == 0)
        self.tally = SmallTally()
        # Versions of all worlds together: a claim about a version that never was in any of them is wrong in each.
        self._versions = Simulation(self._scenario).world.versions

    def explore(self) -> SmallTally:
        """Play them."""
        with simulated():
            begin = State(self._scenario, take_content(Simulation(self._scenario)), MOST_CHANGES, broken=False)
            middle = self._merge(self._play_first(begin))
            ends: dict[str, tuple[State, int]] = {}
            for state, ways in middle:
                for end, more in self._merge(self._play_second(state)):
                    known, before = ends.get(end.key, (end, 0))
                    ends[end.key] = (known, before + ways * more)
            for state, ways in ends.values():
                self._settle(state, ways)
        return self.tally

    def _merge(self, states: Iterator[State]) -> list[tuple[State, int]]:
        """The distinct states, each with the number of ways that lead there."""
        found: dict[str, tuple[State, int]] = {}
        for state in states:
            known, ways = found.get(state.key, (state, 0))
            found[state.key] = (known, ways + 1)
        return list(found.values())

    def _play_first(self, begin: State) -> Iterator[State]:
        """The states after the first run, and those in which it may be killed."""
        for events, simulation in self._play(begin, begin.left):
            # A kill before the last change belongs to a shorter list of changes.
            last = events[-1].step if events else -1
            for step, waiting, content in simulation.moments:
                if not waiting and step >= last:
                    killed = (*events, Event(step, "kill"))
                    way = self._follow(begin, killed)
                    yield State(way, content, begin.left - len(events), broken=True)
            simulation.catch_up()
            yield State(self._follow(begin, events), take_content(simulation), begin.left - len(events), broken=False)

    def _play_second(self, state: State) -> Iterator[State]:
        """The states after the second run."""
        for events, simulation in self._play(state, state.left):
            simulation.catch_up()
            yield State(self._follow(state, events), take_content(simulation), 0, state.broken)

    def _play(
        self, state: State, left: int, events: tuple[Event, ...] = ()
    ) -> Iterator[tuple[tuple[Event, ...], Recording]]:
        """A run with some changes at each of its points: with none, and then with one more at each later point."""
        simulation = Recording(self._follow(state, events))
        put_content(simulation, state.content, self._versions)
        ended = self._run(simulation, replace(RUN, events=events))
        yield events, simulation
        if not left:
            return
        first = events[-1].step if events else 0
        for step in range(first, ended.steps + 1):
            for kind, place in self._changes:
                yield from self._play(state, left - 1, (*events, Event(step, kind, place=place)))

    def _run(self, simulation: Simulation, script: RunScript) -> Ended:
        self.tally.runs += 1
        ended = Ended(script)
        with explain(self._note_failure(simulation.scenario)):
            ended = simulation.run(script)
            Oracle(simulation).check_run(ended)
        return ended

    def _settle(self, state: State, ways: int) -> None:
        self.tally.worlds += ways
        simulation = Simulation(state.scenario)
        put_content(simulation, state.content, self._versions)
        if state.broken:
            simulation.ended.append(Ended(RUN, killed=True))
        with explain(self._note_failure(state.scenario)):
            for name in settle(simulation):
                self.tally.limits[name] += ways
        self.tally.runs += len(simulation.ended) - state.broken

    def _note_failure(self, scenario: Scenario) -> Any:
        def note(verdict: Verdict) -> None:
            self.tally.failures.setdefault(str(verdict.failure), scenario)

        return note

    def _follow(self, state: State, events: tuple[Event, ...]) -> Scenario:
        return replace(state.scenario, runs=(*state.scenario.runs, replace(RUN, events=events)))


def explore(number: int) -> SmallTally:
    """Play the small worlds of one part, by its number."""
    return Explorer(*list_parts()[number]).explore()


def _without_load(row: dict[str, Any]) -> list[Any]:
    return [value for name, value in row.items() if name != "_dlt_load_id"]
