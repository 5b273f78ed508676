"""The script stopped by a signal, or killed, at any moment: nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script
from tests.support.truth import Ask, assert_exact

PATIENCE_SECONDS = 60


def start(sandbox: SandboxServer, folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a first sync of the script, in chunks of 100 rows, without waiting for it."""
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py"), "--chunk-rows", "100"],
        cwd=folder,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_requests(sandbox: SandboxServer, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the sandbox has answered so many requests, or the process is done."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(sandbox.requests) < count and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_stops_after_the_page(
    number: signal.Signals,
    code: int,
    sandbox: SandboxServer,
    sync_here: Script,
    database: Ask,
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    """A signal ends the run with its exit code and one sentence; what was complete is loaded, the rest follows."""
    sandbox.switches.latency_seconds = 0.3
    process = start(sandbox, tmp_path, environment)
    wait_for_requests(sandbox, 2, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert errors.count("stopping: what is complete is loaded first") == 1
    [(loaded,)] = database("SELECT count(*) FROM tickets")
    assert 100 <= int(str(loaded)) < 450
    end = errors.splitlines()[-1]
    assert end.startswith(f"The run was stopped by signal {number.value}: {loaded} of 450 tickets")
    assert end.endswith(" are loaded; the next one goes on from there.")
    sandbox.switches.latency_seconds = 0.0
    sync_here()
    assert_exact(database, sandbox.world)


def test_signal_that_comes_twice_at_once_is_one(
    sandbox: SandboxServer, database: Ask, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`timeout` sends it to the process, and to its group."""
    sandbox.switches.latency_seconds = 0.3
    process = start(sandbox, tmp_path, environment)
    wait_for_requests(sandbox, 2, process)
    process.terminate()
    time.sleep(0.1)
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 143, errors
    assert "stopped by signal 15" in errors
    assert database("SELECT count(*) >= 100 FROM tickets") == [(True,)]


def test_later_signal_ends_at_once(sandbox: SandboxServer, tmp_path: Path, environment: dict[str, str]) -> None:
    """Whoever does not want to wait for the page in hand sends it again."""
    process = start(sandbox, tmp_path, environment)
    sandbox.switches.latency_seconds = 0.3
    wait_for_requests(sandbox, 1, process)
    sandbox.switches.latency_seconds = 30.0
    time.sleep(0.5)
    process.terminate()
    time.sleep(1.5)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 143


@pytest.mark.parametrize("pages", [0, 3], ids=["first-request", "fourth-request"])
def test_signal_ends_a_run_whose_request_hangs(
    pages: int, sandbox: SandboxServer, database: Ask, sync_here: Script, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The connections are cut, nothing more is asked for, what was complete is loaded, and the next run is exact."""
    sandbox.switches.update({"latency_seconds": 0.1, "stall_seconds": 600.0, "dribble": 0.0 if pages else 1.0})
    process = start(sandbox, tmp_path, environment)
    wait_for_requests(sandbox, pages, process)
    sandbox.switches.dribble = 1.0
    wait_for_requests(sandbox, pages + 1, process)
    time.sleep(0.3)
    asked = len(sandbox.requests)
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    assert "stopped by signal 15" in errors
    assert len(sandbox.requests) == asked
    sandbox.switches.update({"latency_seconds": 0.0, "dribble": 0.0})
    sync_here()
    assert_exact(database, sandbox.world)


def test_killed_runs_lose_nothing(
    sandbox: SandboxServer, sync_here: Script, database: Ask, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Killed at four different moments while rows change, then run quietly: exact."""
    sandbox.switches.churn_per_page = 2
    for requests in (1, 3, 6, 9):
        asked = len(sandbox.requests)
        process = start(sandbox, tmp_path, environment)
        wait_for_requests(sandbox, asked + requests, process)
        time.sleep(0.02 * requests)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    sandbox.switches.churn_per_page = 0
    sync_here()
    assert_exact(database, sandbox.world)
