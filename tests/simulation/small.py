"""Every small world: up to 3 rows, 2 pages, 2 changes at any point of two runs, and a kill at any point of the first.

Worlds that come to the same tables and rows go on alike. Hence a run is played once for all worlds that lead to its
beginning, and a kill is a look at the state before a step of a run that goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from tests.simulation.judge import Verdict, explain
from tests.simulation.memory import Memory, RecallingSimulation
from tests.simulation.oracle import Oracle, settle
from tests.simulation.play import Ended, Simulation, simulated
from tests.simulation.scenario import Event, Kind, RunScript, Scenario
from tests.simulation.tables import Kept
from tests.simulation.world import ALL_FILTERS, Habits, Moment

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
        world: The account.
        tables: The tables.
        left: How many changes may still come.
        broken: Whether the run before was killed.
    """

    scenario: Scenario
    world: Moment
    tables: Kept
    left: int
    broken: bool

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for states from which everything goes on alike."""
        return *self.world.key, self.tables.key, self.left, self.broken


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


class Explorer:
    """Plays all small worlds of one part.

    Args:
        habits: The kind of listing.
        shape: The number of rows, and of rows of a page.
        memory: The runs so far.
    """

    def __init__(self, habits: Habits, shape: tuple[int, int], memory: Memory) -> None:
        rows, page_rows = shape
        births = tuple((9.0 - place, 8.5 - place) for place in range(rows))
        self._scenario = Scenario(habits=replace(habits, page_rows=page_rows), births={"tickets": births})
        # With one row the first is the last.
        self._changes = CHANGES if rows > 1 else tuple(change for change in CHANGES if change[1] == 0)
        self.tally = SmallTally()
        # Versions of all worlds together: a claim about a version that never was in any of them is wrong in each.
        self._versions = Simulation(self._scenario).world.versions
        self._memory = memory

    def explore(self) -> SmallTally:
        """Play them."""
        with simulated():
            simulation = Simulation(self._scenario)
            begin = State(self._scenario, simulation.world.keep(), simulation.tables.keep(), MOST_CHANGES, broken=False)
            middle = self._merge(self._play_first(begin))
            ends: dict[tuple[Any, ...], tuple[State, int]] = {}
            for state, ways in middle:
                for end, more in self._merge(self._play_second(state)):
                    known, before = ends.get(end.key, (end, 0))
                    ends[end.key] = (known, before + ways * more)
            for state, ways in ends.values():
                self._settle(state, ways)
        return self.tally

    def _merge(self, states: Iterator[State]) -> list[tuple[State, int]]:
        """The distinct states, each with the number of ways that lead there."""
        found: dict[tuple[Any, ...], tuple[State, int]] = {}
        for state in states:
            known, ways = found.get(state.key, (state, 0))
            found[state.key] = (known, ways + 1)
        return list(found.values())

    def _play_first(self, begin: State) -> Iterator[State]:
        """The states after the first run, and those in which it may be killed."""
        for events, simulation in self._play(begin, begin.left):
            # A kill before the last change belongs to a shorter list of changes.
            last = events[-1].step if events else -1
            for step, waiting, world, tables in simulation.moments:
                if not waiting and step >= last:
                    killed = (*events, Event(step, "kill"))
                    yield State(self._follow(begin, killed), world, tables, begin.left - len(events), broken=True)
            simulation.catch_up()
            yield self._stand(simulation, begin.left - len(events), broken=False)

    def _play_second(self, state: State) -> Iterator[State]:
        """The states after the second run."""
        for _, simulation in self._play(state, state.left):
            simulation.catch_up()
            yield self._stand(simulation, 0, broken=state.broken)

    def _stand(self, simulation: Simulation, left: int, *, broken: bool) -> State:
        return State(simulation.scenario, simulation.world.keep(), simulation.tables.keep(), left, broken)

    def _open(self, state: State, scenario: Scenario) -> RecallingSimulation:
        simulation = RecallingSimulation(scenario, self._memory)
        simulation.world.put(state.world)
        simulation.world.versions = self._versions
        simulation.tables.put(state.tables)
        return simulation

    def _play(
        self, state: State, left: int, events: tuple[Event, ...] = ()
    ) -> Iterator[tuple[tuple[Event, ...], RecallingSimulation]]:
        """A run with some changes at each of its points: with none, and then with one more at each later point."""
        simulation = self._open(state, self._follow(state, events))
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
        simulation = self._open(state, state.scenario)
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


def explore(number: int, memory: Memory) -> SmallTally:
    """Play the small worlds of one part, by its number."""
    return Explorer(*list_parts()[number], memory).explore()


def explore_group(numbers: Sequence[int]) -> list[SmallTally]:
    """Play parts in which the same runs recur."""
    memory = Memory()
    return [explore(number, memory) for number in numbers]


def list_groups(numbers: Iterable[int]) -> list[list[int]]:
    """The parts in groups in which the same runs recur: of the same rows and the same counts."""
    parts, groups = list_parts(), dict[Any, list[int]]()
    for number in numbers:
        habits, shape = parts[number]
        groups.setdefault((shape, habits.order, habits.count), []).append(number)
    return list(groups.values())
