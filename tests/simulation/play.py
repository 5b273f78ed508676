"""Plays a scenario: each run through the connector's own loop, in one process, without HTTP, disks and threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pyarrow as pa

from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.prefetch import Prefetcher
from cogny_source.engine.progress import Silence
from cogny_source.engine.run_journal import Journal
from cogny_source.engine.run_loop import Run
from cogny_source.engine.run_record import ResourceRun
from cogny_source.engine.state_store import StateStore
from cogny_source.errors import BadRequest, CognyError, LoadFailed, NetworkError
from cogny_source.extract.plan import make_plan
from cogny_source.reconcile.comparison import Comparison
from cogny_source.settings import Settings
from cogny_source.windows import Window
from tests.simulation.api import Api
from tests.simulation.comparison import PlainComparison
from tests.simulation.model import SMALL_ENDPOINTS
from tests.simulation.scenario import CHANGES, Event, RunScript, Scenario
from tests.simulation.schedule import Killed, Scheduler
from tests.simulation.tables import Tables
from tests.simulation.world import ALL_FILTERS, BORN, World

# A simulated list is a hundredth of a real one, and so are the sizes from which on the connector acts otherwise.
SCALED = {
    "cogny_source.extract.completeness.KEY_PARTS": 1,
    "cogny_source.extract.listing.PROOF_PAGES": 3,
    "cogny_source.extract.order_proof.PROOF_PAGES": 3,
    "cogny_source.extract.parallel.WORTHWHILE_ROWS": 2,
    "cogny_source.extract.lookup.MOST_LOOKUPS": 4,
    "cogny_source.extract.lookup.SAMPLE_ROWS": 2,
    "cogny_source.reconcile.coverage.PAGE_ROWS": 2,
    "cogny_source.reconcile.settlement.SLICE_PAGES": 4,
}
MOST_REQUESTS = 2_000
# Another machine that would be killed later comes to its end.
MOST_STEPS_ELSEWHERE = 15


class Cancel(CancelToken):
    """A token whose waits move the simulated clock."""

    world: World | None = None

    def sleep(self, seconds: float) -> None:
        """Wait for nothing, but for a stop."""
        self.check()
        assert self.world is not None
        self.world.pass_time(seconds)


class MemoryJournal(Journal):
    """A journal that writes nothing to a disk."""

    def __init__(self) -> None:
        super().__init__(Path(), "")

    def write(self, runs: Sequence[ResourceRun]) -> None:
        """Keep nothing."""

    def read_table(self) -> pa.Table | None:  # type: ignore[override]
        """No record is loaded."""
        return None

    def discard(self) -> None:
        """Nothing is kept."""

    def clear(self) -> None:
        """Nothing is kept."""


@dataclass
class Ended:
    """How a run ended.

    Attributes:
        script: The run.
        runs: The record of each resource.
        error: The error that ended it; None if it was green.
        killed: Whether it was killed.
        quiet: Whether no row changed during it, and lists were up to date.
        steps: Its steps: requests and both sides of each commit.
        requests: Its requests.
        marked: By resource, the rows that were marked deleted before it.
    """

    script: RunScript
    runs: dict[str, ResourceRun] = field(default_factory=dict)
    error: CognyError | None = None
    killed: bool = False
    quiet: bool = True
    steps: int = 0
    requests: int = 0
    marked: dict[str, set[str]] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        """Whether it claims to have succeeded."""
        return self.error is None and not self.killed


class Simulation:
    """One scenario as it is played.

    Args:
        scenario: The scenario.

    Attributes:
        world: The truth.
        tables: The destination.
        ended: The runs so far.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario.habits, scenario.births)
        self.tables = Tables(self._step_at_commit)
        self.ended: list[Ended] = []
        self._rng = None if scenario.seed is None else Random(scenario.seed)
        self._scheduler = Scheduler(self._rng)
        self._token = Cancel()
        self._events: list[Event] = []
        self._now: Ended = Ended(RunScript())
        self._broken_elsewhere = False

    def run(self, script: RunScript) -> Ended:
        """Play one run, and what happens during it."""
        self.world.pass_time(script.wait_seconds)
        self.world.begin_run(script.clock_ahead_seconds)
        self._events = sorted(script.events, key=lambda event: event.step)
        ended = self._run(script)
        self.ended.append(ended)
        return ended

    def find_start(self, script: RunScript) -> datetime | None:
        """The `start_date` of a run."""
        days = self.scenario.start_days if script.start_days is None else script.start_days
        return None if days is None else BORN - timedelta(days=days)

    @property
    def broken(self) -> bool:
        """Whether a run did not come to its end."""
        return self._broken_elsewhere or any(not ended.green for ended in self.ended)

    def catch_up(self) -> None:
        """Let happen what lies behind the last step of the run."""
        for event in self._events:
            if event.kind in (*CHANGES, "pause"):
                self._act(event)
        self._events = []

    def _run(self, script: RunScript) -> Ended:
        ended, before = Ended(script, quiet=not self.lags), self._now
        ended.marked = {name: self.tables.find_marked(name) for name in script.resources}
        self._now = ended
        try:
            self._execute(ended)
        finally:
            self._now = before
        return ended

    def _execute(self, ended: Ended) -> None:
        run = self._make_run(ended.script)
        ended.runs = run.runs
        try:
            run.execute()
        except CognyError as error:
            ended.error = error
        except Killed:
            ended.killed = True

    @property
    def lags(self) -> bool:
        """Whether lists come from a copy that lags."""
        return bool(self.scenario.habits.lag_seconds or self.scenario.habits.lag_requests)

    def _make_run(self, script: RunScript) -> Run:
        scenario, world, tables = self.scenario, self.world, self.tables
        window = (
            None if script.window_days is None else Window(*(BORN - timedelta(days=at) for at in script.window_days))
        )
        settings = Settings(
            "sk_test_simulation",
            "http://localhost/v1",
            requests_per_minute=None,
            overlap_seconds=scenario.overlap_seconds,
            chunk_rows=script.chunk_rows,
            workers=script.workers,
            max_deletion_share=1 / 3,
            max_deletion_rows=2,
        )
        plan = make_plan(
            settings,
            start_date=self.find_start(script),
            window=window,
            full_refresh=script.full_refresh,
            census=script.census,
            verify=script.verify,
            accept_deletions=script.accept_deletions,
        )
        token = self._token = Cancel()
        token.world = world
        scheduler = self._scheduler = Scheduler(self._rng)
        return Run(
            "run",
            self._open_api(),
            settings,
            plan,
            {name: SMALL_ENDPOINTS[name] for name in script.resources},
            Silence(),
            token,
            tables,
            tables,
            StateStore(tables, script.resources, tables.restore),
            MemoryJournal(),
            Prefetcher(len(script.resources), token, scheduler.open_pool),
            context_options={
                "now": self._tell_time,
                "stopwatch": self._read_stopwatch,
                "open_pool": scheduler.open_pool,
            },
        )

    def _open_api(self) -> Api:
        return Api(self.world, self._step)

    def _tell_time(self) -> datetime:
        return self.world.now

    def _read_stopwatch(self) -> float:
        return self.world.now.timestamp()

    # What happens before a step.

    def _step(self) -> None:
        """A request is about to be answered."""
        self._now.requests += 1
        assert self._now.requests < MOST_REQUESTS, "the run does not end"
        self._do_events(may_fail=True)

    def _step_at_commit(self, side: str) -> None:
        """One side of a commit."""
        self._scheduler.run_some()
        self._do_events(may_fail=False, before_commit=side == "before a commit")

    def _do_events(self, *, may_fail: bool, before_commit: bool = False) -> None:
        step = self._now.steps
        self._now.steps += 1
        error: CognyError | None = None
        while self._events and self._events[0].step <= step:
            event = self._events.pop(0)
            if event.kind == "fail" and may_fail:
                error = NetworkError("the connection was reset")
            elif event.kind == "forget_cursors" and may_fail:
                error = BadRequest("cursor expired", status=400)
            elif event.kind == "refuse_load" and before_commit:
                error = LoadFailed("the destination refused a load")
            elif event.kind == "kill":
                raise Killed
            elif event.kind == "stop":
                self._token.set(15)
            elif event.kind == "other_machine" and may_fail:
                self._sync_elsewhere(event.place)
            elif event.kind == "ignore_filters":
                self.world.ignored = ALL_FILTERS
            else:
                self._act(event)
        if error is not None:
            raise error

    def _act(self, event: Event) -> None:
        world, name = self.world, event.resource
        self._now.quiet = self._now.quiet and event.kind not in CHANGES
        if event.kind == "change":
            world.change(name, event.place, ties=event.ties)
        elif event.kind == "create":
            world.create(name, ties=event.ties)
        elif event.kind == "delete":
            world.delete(name, event.place)
        elif event.kind == "delete_many":
            world.delete_many(name, event.place)
        elif event.kind == "restore":
            world.restore(event.place)
        elif event.kind in ("revive", "revive_changed"):
            world.revive(name, changed=event.kind == "revive_changed")
        elif event.kind == "alter_silently":
            world.alter_silently(name, event.place)
        elif event.kind == "pause":
            world.pass_time(event.seconds)

    def _sync_elsewhere(self, most_steps: int) -> None:
        """Another machine loads into the same destination meanwhile, to its end or until it is killed."""
        self._now.quiet = False
        token, scheduler, events, script = self._token, self._scheduler, self._events, self._now.script
        self._events = [Event(most_steps, "kill")] if most_steps < MOST_STEPS_ELSEWHERE else []
        try:
            ended = self._run(RunScript(chunk_rows=3, resources=script.resources, start_days=script.start_days))
        finally:
            self._token, self._scheduler, self._events = token, scheduler, events
        self._broken_elsewhere = self._broken_elsewhere or not ended.green


@contextmanager
def simulated() -> Iterator[None]:
    """The scaled sizes, and the stand-in of the comparison; without log lines, which take a third of the time."""
    patches: list[Any] = [patch(name, value) for name, value in SCALED.items()]
    patches.append(patch.object(Comparison, "with_destination", PlainComparison.with_destination))
    logger = logging.getLogger("cogny_source")
    level, logger.disabled = logger.level, True
    logging.disable(logging.CRITICAL)
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
        logging.disable(logging.NOTSET)
        logger.disabled = False
        logger.setLevel(level)
