"""Plays a run once for all worlds that answer it alike.

A run is a function of the tables at its beginning and of what it is told: the answers, and the clock. A memory keeps,
for each beginning, what a run does next after each thing that it was told. Where the world tells a run what it told
another one, the run's steps are looked up instead of played; the world lives on, and the claims of the run are checked,
as in any other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import CognyError
from tests.simulation.api import Api
from tests.simulation.play import Ended, Simulation
from tests.simulation.scenario import RunScript, Scenario
from tests.simulation.tables import Kept
from tests.simulation.world import Moment, identify

# A request's path and parameters, or a side of a commit.
Action = tuple[Any, ...]
SIDES = ("before a commit", "after a commit")


@dataclass
class Told:
    """What a run does after what it was told so far.

    Attributes:
        tables: The tables then.
        action: Its next action; None if it ends, or is not known.
        follow: What it may be told then, to what it does after that.
        runs: If it ends, its record of each resource.
        error: If it ends, the error.
    """

    tables: Kept
    action: Action | None = None
    follow: dict[Hashable, Told] = field(default_factory=dict)
    runs: dict[str, ResourceRun] | None = None
    error: CognyError | None = None


@dataclass
class Memory:
    """The runs so far.

    Attributes:
        begins: The beginnings: tables, clock and script.
        played: How many runs were played.
        recalled: How many were looked up.
    """

    begins: dict[Hashable, Told] = field(default_factory=dict)
    played: int = 0
    recalled: int = 0


class RecallingSimulation(Simulation):
    """A simulation whose runs are looked up where they can be.

    Args:
        scenario: The scenario; nothing in it is drawn by lot, and no run is killed.
        memory: The runs so far.

    Attributes:
        moments: Before and after what happens at each step of the last run: the step, how many events are still to
            come, the account and the tables.
    """

    def __init__(self, scenario: Scenario, memory: Memory) -> None:
        super().__init__(scenario)
        self.moments: list[tuple[int, int, Moment, Kept]] = []
        self._memory = memory
        self._trail: list[tuple[Action, Kept, Hashable]] = []

    def _execute(self, ended: Ended) -> None:
        begin, events, requests = self.world.keep(), self._events, self.world.requests
        root = self._find_beginning(ended.script)
        self._events, self.moments = list(events), []
        if self._recall(root, ended):
            self._memory.recalled += 1
            return
        self._events, self.moments, self._trail = events, [], []
        self.world.put(begin)
        self.world.requests = requests
        self.world.begin_run(ended.script.clock_ahead_seconds)
        self.tables.put(root.tables)
        ended.steps, ended.requests, ended.quiet = 0, 0, not self.lags
        super()._execute(ended)
        self._memory.played += 1
        self._remember(root, ended)

    def _find_beginning(self, script: RunScript) -> Told:
        options = (script.chunk_rows, script.workers, script.census, script.full_refresh, script.verify)
        tables = self.tables.keep()
        key = (tables.key, self.world.now, *options, *script.resources)
        return self._memory.begins.setdefault(key, Told(tables))

    def _recall(self, told: Told, ended: Ended) -> bool:
        """Look the run up, while the world goes on as in any run; whether all that it does is known."""
        api = Api(self.world, self._step)
        while told.action is not None:
            self.tables.put(told.tables)
            known = told.follow.get(self._perform(api, told.action))
            if known is None:
                return False
            told = known
        if told.runs is None:
            return False
        self.tables.put(told.tables)
        ended.runs, ended.error = told.runs, told.error
        return True

    def _perform(self, api: Api, action: Action) -> Hashable:
        """What the world tells a run that does this."""
        path, *params = action
        if path in SIDES:
            super()._step_at_commit(path)
            return self.world.now
        return self._read(lambda: api.get(path, dict(params), Meter()))[0]

    def _read(self, ask: Callable[[], Answer]) -> tuple[Hashable, Answer | CognyError]:
        """What an answer tells, and the answer."""
        answer: Answer | CognyError
        try:
            answer = ask()
            rows = answer.data if isinstance(answer.data, list) else [answer.data]
            told: Hashable = (identify(rows), *(answer.pagination or {}).items(), answer.server_time)
        except CognyError as error:
            told, answer = repr(error), error
        return (told, self.world.now), answer

    def _remember(self, told: Told, ended: Ended) -> None:
        for action, tables, heard in self._trail:
            assert told.action in (None, action), "a run did something else after it was told the same"
            told.action, told.tables = action, tables
            told = told.follow.setdefault(heard, Told(tables))
        told.tables, told.runs, told.error = self.tables.keep(), ended.runs, ended.error

    # While a run is played.

    def _open_api(self) -> Api:
        simulation = self

        class ListeningApi(Api):
            def get(
                self,
                path: str,
                params: Mapping[str, str | int],
                meter: Meter,
                *,
                scope: str | None = None,
                patient: bool = True,
            ) -> Answer:
                tables = simulation.tables.keep()
                heard, answer = simulation._read(lambda: Api.get(self, path, params, meter))
                simulation._trail.append(((path, *params.items()), tables, heard))
                if isinstance(answer, CognyError):
                    raise answer
                return answer

        return ListeningApi(self.world, self._step)

    def _step_at_commit(self, side: str) -> None:
        tables = self.tables.keep()
        super()._step_at_commit(side)
        self._trail.append(((side,), tables, self.world.now))

    def _do_events(self, *, may_fail: bool, before_commit: bool = False) -> None:
        self._note()
        happened = len(self._events)
        super()._do_events(may_fail=may_fail, before_commit=before_commit)
        if len(self._events) != happened:
            self._note(steps_back=1)

    def _note(self, steps_back: int = 0) -> None:
        self.moments.append((self._now.steps - steps_back, len(self._events), self.world.keep(), self.tables.keep()))
