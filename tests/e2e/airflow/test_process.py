"""A sync as a child process, without Airflow: its lines, its exit code and its end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from filelock import FileLock

from cogny_source.sandbox import SandboxServer
from tests.support.airflow import DAGS, load_part
from tests.support.syncs import KEY, PATIENCE_SECONDS, wait_until
from tests.support.truth import Ask

process = load_part("cogny_process")
SettingsError = load_part("cogny_account").SettingsError

Reactions = dict[str, Callable[[], None]]

# Told to stop it writes a line each time, and goes on for as long as the file is not there.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
print("loaded", flush=True)
sys.exit(143)
"""


class TimedOut(BaseException):
    """As Airflow's own, no `Exception`."""


class Lines(logging.Handler):
    """Keeps the lines that come, and reacts to some as they do."""

    def __init__(self, reactions: Reactions) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._reactions = reactions

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._reactions.get(record.getMessage(), lambda: None)()


@pytest.fixture
def reactions() -> Reactions:
    """What is to be done when a line comes."""
    return {}


@pytest.fixture
def lines(reactions: Reactions) -> Iterator[list[str]]:
    """The log's lines."""
    handler = Lines(reactions)
    logger = process.logger
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def run(code: str, *arguments: str, grace_seconds: float = PATIENCE_SECONDS) -> None:
    """Run some Python in place of a sync."""
    process.run([sys.executable, "-c", code, *arguments], {**os.environ, "PYTHONUNBUFFERED": "1"}, grace_seconds)


def test_lines_come_as_they_are_written(reactions: Reactions, lines: list[str], tmp_path: Path) -> None:
    """The first line is in the log while the child still runs; all that it writes on either stream follows."""
    seen = tmp_path / "seen"
    reactions["first %s"] = seen.touch
    code = """
import os, sys, time
print("first %s")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
os.write(2, b"\\n  second \\xff\\n")
os.write(1, b"no end of line")
"""
    run(code, str(seen))
    assert lines == ["first %s", "  second �", "no end of line"]


@pytest.mark.parametrize(
    ("ending", "error", "told"),
    [
        ("sys.exit(2)", SettingsError, "refused its settings or its key"),
        ("sys.exit(1)", process.SyncFailed, "ended with exit code 1;"),
        ("sys.exit(75)", process.SyncFailed, "another run holds this database's lock"),
        ("os.kill(os.getpid(), 9)", process.SyncFailed, "killed by signal 9;"),
    ],
)
def test_exit_code_tells_whether_to_try_again(ending: str, error: type[Exception], told: str, lines: list[str]) -> None:
    """Wrong settings are told from what may pass, and every end but the good one is an error."""
    with pytest.raises(error, match=told):
        run(f"import os, sys; print('end'); {ending}")
    assert lines == ["end"]


def test_python_that_is_not_there_is_a_setting() -> None:
    """An interpreter that cannot be started is named, and is not tried again."""
    with pytest.raises(SettingsError, match="/nowhere/python cannot be started: No such file or directory"):
        process.run(["/nowhere/python", "-m", "cogny_source"], {})


def test_sigterm_is_passed_on_once(reactions: Reactions, lines: list[str], tmp_path: Path) -> None:
    """However often the task is told to stop, the sync is told once, may load, and its last lines are in the log."""
    done = tmp_path / "done"
    before = signal.getsignal(signal.SIGTERM)
    reactions["ready"] = lambda: os.kill(os.getpid(), signal.SIGTERM)

    def stop_again() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        done.touch()

    reactions["told"] = stop_again
    with pytest.raises(process.SyncFailed, match="exit code 143"):
        run(STUBBORN, str(done))
    assert lines == ["ready", process.STOPPING, "told", "loaded"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def time_out() -> Iterator[Callable[[], None]]:
    """Raise in the main thread, as Airflow's time-out does."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise TimedOut

    previous = signal.signal(signal.SIGUSR1, expire)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, previous)


def test_time_out_lets_the_sync_load(
    reactions: Reactions, lines: list[str], time_out: Callable[[], None], tmp_path: Path
) -> None:
    """A time-out tells the sync to stop, waits for it, and is then raised on."""
    reactions["ready"] = time_out
    reactions["told"] = (tmp_path / "done").touch
    with pytest.raises(TimedOut):
        run(STUBBORN, str(tmp_path / "done"))
    assert lines == ["ready", process.STOPPING, "told", "loaded"]


def test_sync_that_goes_on_is_killed(
    reactions: Reactions, lines: list[str], time_out: Callable[[], None], tmp_path: Path
) -> None:
    """After the grace period a sync that did not heed SIGTERM is killed, and the log says so."""
    reactions["ready"] = time_out
    with pytest.raises(TimedOut):
        run(STUBBORN, str(tmp_path / "never"), grace_seconds=0.5)
    assert lines == ["ready", process.STOPPING, "told", "the sync has not ended within 0.5 s and is killed"]


def test_sync_loads_also_after_its_task_was_killed(
    sandbox: SandboxServer, database: Ask, environment: dict[str, str], tmp_path: Path
) -> None:
    """Airflow kills a task some seconds after it told it to stop: its sync still loads what is complete."""
    sandbox.switches.latency_seconds = 0.3
    code = f"""
import sys
sys.path.append({str(DAGS)!r})
from cogny_process import run
command = [sys.executable, "-m", "cogny_source", "sync", "duckdb", "--resources=tickets", "--chunk-rows=100"]
run(command, {environment | {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}!r})
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as task:
        wait_until(lambda: len(sandbox.requests) >= 2, task)
        task.terminate()
        assert task.stderr is not None
        assert task.stderr.readline() == process.STOPPING + "\n"
        # The line is written before the signal is sent.
        time.sleep(0.2)
        task.kill()
    # Not deeper, where folders of the load come and go.
    [lock] = Path(environment["DLT_DATA_DIR"]).glob("pipelines/*/cogny.lock")
    with FileLock(lock, PATIENCE_SECONDS):
        [(status,)] = database("SELECT status FROM sync_runs")
        [(loaded,)] = database("SELECT count(*) FROM tickets")
    assert status == "stopped"
    assert 100 <= loaded < 450
