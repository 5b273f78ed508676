"""A soak: scenarios drawn by lot, of an API with habits, a writer, faults, kills and machines that take turns.

One seed is one scenario. It ends with a writer that rests, and with tables that hold what the API lists, to the cell.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cogny_source import sync
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.engine.working_dir import hold_lock, open_pipeline
from cogny_source.errors import NotVerifiable, Stopped
from cogny_source.sandbox import DEFAULT_KEYS, RESOURCES, Access, SandboxServer, Switches, World
from cogny_source.settings import Settings
from tests.soak.deaths import CHILD_SECONDS, POINTS, dying, in_child, is_killed
from tests.soak.proof import Proof
from tests.soak.world import BORN, LIVE_KEY, Clock, Versions, Writer, draw_habits
from tests.support.syncs import NAME, ROOT, each_page, make_pipeline

Step = Callable[[], str]


class Hasty(CancelToken):
    """A flag that never waits."""

    def sleep(self, seconds: float) -> None:
        """Wait for nothing, but for a stop."""
        self.check()


class Scenario:
    """One scenario.

    Args:
        seed: What all is drawn from.
        folder: An empty folder for the database and the working directories.
        steps: How many steps there are before the end, at least and at most.
    """

    def __init__(self, seed: int, folder: Path, steps: tuple[int, int] = (4, 9)) -> None:
        self.seed = seed
        self._steps_range = steps
        self.folder = folder
        self.steps: list[str] = []
        self._rng = rng = random.Random(seed)
        self.habits = draw_habits(rng)
        self._clock = Clock(rng.choice((0.0, 0.001, 0.05, 0.5)) if self.habits.lifetime_rows is None else 0.05)
        paged = "warehouses" not in self.habits.switches["pagination_omitted"]
        world = World(
            seed,
            tickets=150 + int(750 * rng.random() ** 3),
            reports=rng.randint(20, 150),
            warehouses=rng.choice((3, 8, self.habits.page_rows + 7)) if paged else rng.choice((3, 8)),
            now=BORN,
            ties=rng.choice((0.0, 0.2, 0.6)),
            warehouse_timestamps=rng.random() < 0.3,
        )
        world.clock = self._clock
        keys = {**DEFAULT_KEYS, LIVE_KEY: Access(requests_per_minute=1_000_000)}
        self._server = SandboxServer(world, Switches(**self.habits.switches), keys)
        self._world = world
        # Rows of one timestamp that outlive a listing's cursors cannot be read by anyone.
        most_ties = rng.choice((150, 350)) if self.habits.lifetime_rows is None else self.habits.lifetime_rows // 2
        self._writer = Writer(world, rng, self._clock, self.habits.deletes, most_ties)
        self._churned = self._interrupted = False

    def play(self) -> None:
        """Play the scenario; what fails tells its seed and its steps."""
        try:
            with self._server, patch("cogny_source.api.pagination.PAGE_ROWS", self.habits.page_rows):
                self._play()
        except BaseException as error:
            error.add_note(self.describe())
            raise

    def describe(self) -> str:
        """The seed, the habits and the steps taken so far."""
        habits = {name: value for name, value in self.habits.__dict__.items() if name != "switches"}
        odd = {k: v for k, v in self.habits.switches.items() if v != getattr(Switches(), k)}
        return "\n".join([f"SOAK_SEED={self.seed}", f"{odd}", f"{habits}", *self.steps])

    def _play(self) -> None:
        rng = self._rng
        if rng.random() < 0.5:
            self._note(self._writer.tie)
        self._versions = Versions(self._world)
        steps: list[tuple[int, Step]] = [
            (6, self._writer.write),
            (5, self._sync),
            (2, self._stop),
            (3, self._die),
            (1, self._kill_script),
            (1, self._lose_working_directory),
            (1, self._damage_working_directory),
            (1, self._restore_backup),
        ]
        acts = [act for weight, act in steps for _ in range(weight)]
        for _ in range(rng.randint(*self._steps_range)):
            self._clock.seconds += rng.choice((0, 1, 100, 4000, 90_000))
            self._note(acts[rng.randrange(len(acts))])
        self._finish()

    def _note(self, act: Step) -> None:
        self.steps.append(f"... {act.__name__}")
        self.steps[-1] = act()

    # Steps.

    def _sync(self) -> str:
        arguments = self._draw_arguments()
        machine = self._draw_machine()
        with self._weather() as weather:
            try:
                self._run(machine, **arguments)
            except NotVerifiable:
                assert weather, "rows that rest can be verified"
                weather += ", of which too many moved to be verified"
        return f"sync on {machine} {weather} {arguments}"

    def _stop(self) -> str:
        machine, pages, arguments = self._draw_machine(), self._rng.randint(1, 40), self._draw_arguments()
        stop = Hasty()
        met: list[None] = []

        def count(_: ResourceRun, __: int | None) -> None:
            met.append(None)
            if len(met) == pages:
                stop.set(signal.SIGTERM)

        with self._weather() as weather:
            try:
                self._run(machine, stop=stop, progress=each_page(count), **arguments)
            except Stopped:
                self._interrupted = True
        return f"stop after {pages} pages on {machine} {weather} {arguments}"

    def _die(self) -> str:
        """Die at a point of dlt's steps: by an exception, or as after a SIGKILL, in a process that is forked off."""
        machine, arguments = self._draw_machine(), self._draw_arguments()
        (owner, name), forked = self._rng.choice(POINTS), self._rng.random() < 0.6
        call, after = self._rng.choice((1, 1, 2, 3, 5)), self._rng.random() < 0.5
        self._interrupted = True

        def work() -> None:
            with dying(owner, name, call, after=after, forked=forked):
                self._run(machine, **arguments)

        with self._weather() as weather:
            died = in_child(work, self.folder) if forked else is_killed(work)
        how = f"{'after' if after else 'before'} call {call} of {owner.__name__}.{name}{' in a fork' * forked}"
        return f"die {how} on {machine} {weather} {arguments}: {'died' if died else 'lived'}"

    def _kill_script(self) -> str:
        requests, delay = self._rng.randint(1, 12), self._rng.random() * 0.4
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DLT_DATA_DIR": str(self.folder / "script"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "SOURCES__COGNY__API_KEY": self.habits.api_key,
            "SOURCES__COGNY__BASE_URL": self._server.base_url,
            "SOURCES__COGNY__OVERLAP_SECONDS": str(self.habits.overlap_seconds),
        }
        start = [f"--start-date={self.habits.start_date.isoformat()}"] if self.habits.start_date else []
        command = [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py"), "--chunk-rows=100", *start]
        asked, deadline = len(self._server.requests), time.monotonic() + CHILD_SECONDS
        pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=self.folder, env=environment, **pipes) as process:
            while len(self._server.requests) < asked + requests and process.poll() is None:
                assert time.monotonic() < deadline, "the script hangs"
                time.sleep(0.01)
            time.sleep(delay)
            process.kill()
        self._interrupted = True
        return f"kill the script {delay:.2f} s after request {requests}"

    def _lose_working_directory(self) -> str:
        machine = self._draw_machine()
        shutil.rmtree(self.folder / machine / NAME, ignore_errors=True)
        return f"lose the working directory of {machine}"

    def _damage_working_directory(self) -> str:
        machine, rng = self._draw_machine(), self._rng
        files = sorted(path for path in (self.folder / machine).rglob("*") if path.is_file() and path.suffix != ".lock")
        if not files:
            return "damage nothing"
        # Names hold load ids and times, which differ from run to run: the draw is by place.
        path, how = files[int(rng.random() * len(files))], rng.choice(("cut", "garbage", "gone"))
        content = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(content[: len(content) // 2] if how == "cut" else b"\x00garbage" * 9)
        return f"damage {path.relative_to(self.folder)}: {how}"

    def _restore_backup(self) -> str:
        database, backup = self.folder / "cogny.duckdb", self.folder / "backup"
        if backup.exists():
            shutil.copy(backup, database)
            backup.unlink()
            self._interrupted = True
            return "restore the database from a backup"
        if database.exists():
            shutil.copy(database, backup)
            return "back the database up"
        return "back nothing up"

    # What the steps share.

    def _draw_machine(self) -> str:
        lot, scripts = self._rng.random(), list((self.folder / "script").glob("pipelines/cogny-*"))
        if lot < 0.2 and scripts:
            return str(scripts[0].relative_to(self.folder))
        return "one" if lot < 0.7 else "two"

    def _draw_arguments(self) -> dict[str, Any]:
        rng = self._rng
        arguments: dict[str, Any] = {"chunk_rows": rng.choice((100, 300, 300, 15_000, 15_000))}
        if rng.random() < 0.2:
            arguments["resources"] = rng.sample(RESOURCES, rng.randint(1, 2))
        if rng.random() < 0.15:
            arguments["full_refresh"] = True
        arguments["census"] = rng.choice(("auto", "auto", "auto", "never", "always"))
        if rng.random() < 0.05:
            arguments["verify"] = True
        return arguments

    @contextmanager
    def _weather(self) -> Iterator[str]:
        """Faults, and perhaps a writer, while a sync runs."""
        churns = self._rng.random() < 0.35
        names = {**self.habits.faults, **(self.habits.churn if churns else {})}
        self._churned = self._churned or churns
        self._server.switches.update(names)
        try:
            yield "while rows change" if churns else ""
        finally:
            self._server.switches.update({name: type(value)(0) for name, value in names.items()})

    def _run(
        self, machine: str, *, chunk_rows: int = 15_000, stop: CancelToken | None = None, **arguments: Any
    ) -> SyncResult:
        """A sync, as another process of a machine would run it."""
        folder = self.folder / machine
        settings = Settings(
            self.habits.api_key,
            self._server.base_url,
            requests_per_minute=None,
            overlap_seconds=self.habits.overlap_seconds,
            start_date=self.habits.start_date,
            chunk_rows=chunk_rows,
        )
        with hold_lock(folder, NAME):
            pipeline = open_pipeline(lambda: make_pipeline(self.folder, machine), folder, NAME)
            pipeline.runtime_config.intercept_signals = False
            return sync(pipeline, settings, stop=stop or Hasty(), accept_deletions=True, **arguments)

    # The end.

    def _finish(self) -> None:
        """Let the writer rest, sync, and compare."""
        machine = self._draw_machine()
        database, writer = self.folder / "cogny.duckdb", self._writer
        proof = Proof(database, self._world, self.habits, writer, self._versions, self._churned, self._interrupted)
        self._pass_days()
        if self._rng.random() < 0.5:
            self.steps.append(f"sync without a census on {machine}")
            self._run(machine, census="never")
            proof.check_listed()
            self._pass_days()
        self.steps.append(f"final sync on {machine}")
        self._run(machine)
        if proof.must_ask_for_census():
            self.steps.append("final census")
            self._run(machine, census="always")
        proof.check_tables()
        proof.check_history()
        self._pass_days()
        self.steps.append("a sync where nothing changed, with its proof")
        stamps = proof.stamps()
        proof.check_nothing_changed(stamps, self._run(machine, verify=True))
        proof.check_tables()

    def _pass_days(self) -> None:
        self._clock.seconds += 2 * 86_400
