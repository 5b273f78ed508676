"""Two machines that load into one destination: whichever state wins, the next quiet sync is exact."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync, windows
from cogny_source.api.http_client import make_client
from cogny_source.destinations.duckdb import loader
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.progress import Silence
from cogny_source.engine.run_loop import Run
from cogny_source.engine.run_record import ResourceRun
from cogny_source.engine.runner import make_run
from cogny_source.extract.plan import Plan
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings
from tests.support.syncs import KEY, ROOT, each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait for each other as processes do, of which DuckDB lets one have the file."""
    lock, connect = threading.RLock(), DestinationSession.connect

    @contextmanager
    def wait_and_connect(self: DestinationSession) -> Iterator[Any]:
        with lock, connect(self) as client:
            yield client

    monkeypatch.setattr(DestinationSession, "connect", wait_and_connect)


def begin(pipeline: dlt.Pipeline, settings: Settings) -> Run:
    """A run that has read its first chunks and loaded nothing yet."""
    names = ["tickets", "reports", "warehouses"]
    plan = Plan(overlap_seconds=settings.overlap_seconds)
    run = make_run(pipeline, make_client(settings), settings, plan, names, Silence(), CancelToken(), CancelToken())
    run.state_store.open()
    for name in names:
        run._open(name)
    for name in names:
        run._read_chunk(name)
    assert run.error is None
    return run


def change_everywhere(sandbox: SandboxServer, notes: str) -> None:
    """Change one row of each resource, the same each time."""
    for name in ("tickets", "reports"):
        sandbox.world.patch(name, sandbox.world.rows(name)[3]["id"], status=notes)
    sandbox.world.patch("warehouses", sandbox.world.rows("warehouses")[0]["id"], status=notes)


@pytest.mark.parametrize("behind", [0.0, *(pytest.param(far, marks=pytest.mark.long) for far in (2.0, 90_000.0))])
def test_older_rows_loaded_last_are_read_again(
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behind: float,
) -> None:
    """One machine reads a row, the other reads and loads a newer version, then the first, by a clock that is behind."""
    settings = settings_for(sandbox, overlap_seconds=0.0)
    sync(pipeline, settings)
    change_everywhere(sandbox, "older")
    slow = begin(make_pipeline(tmp_path, "slow"), settings)
    change_everywhere(sandbox, "newer")
    sync(make_pipeline(tmp_path, "quick"), settings)
    with monkeypatch.context() as clock:
        clock.setattr(loader, "create_load_id", lambda: str(time.time() - behind))
        slow._load()
    assert ask("SELECT count(*) FROM tickets WHERE status = 'older'") == [(1,)]
    sync(make_pipeline(tmp_path, "quick"), settings)
    assert_exact(ask, sandbox.world)


def test_older_rows_loaded_amid_another_run_are_read_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """One machine loads a newer version, the other an older one and dies, then the first commits its watermark."""
    sync(pipeline, settings_for(sandbox, overlap_seconds=0.0))
    settings = settings_for(sandbox, overlap_seconds=0.0, chunk_rows=100)
    change_everywhere(sandbox, "older")
    slow = begin(make_pipeline(tmp_path, "slow"), settings)
    change_everywhere(sandbox, "newer")
    sandbox.world.churn("tickets", changed=300)

    def load_between_chunks(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets" and run.meter.pages == 3:
            slow._load()

    sync(make_pipeline(tmp_path, "quick"), settings, progress=each_page(load_between_chunks))
    assert ask("SELECT count(*) FROM warehouses WHERE status = 'older'") == [(1,)]
    sync(make_pipeline(tmp_path, "third"), settings)
    assert_exact(ask, sandbox.world)


@pytest.mark.parametrize("margin", [windows.MARGIN_SECONDS, pytest.param(0.001, marks=pytest.mark.long)])
def test_two_first_loads_at_once(
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    margin: float,
) -> None:
    """Both begin with an empty destination; one dies after its first chunk. Nor does a wider question hide a loss."""
    monkeypatch.setattr(windows, "MARGIN_SECONDS", margin)
    settings = settings_for(sandbox, overlap_seconds=0.0, chunk_rows=100)
    slow = begin(make_pipeline(tmp_path, "slow"), settings)
    change_everywhere(sandbox, "newer")
    done = False

    def load_between_chunks(run: ResourceRun, _: int | None) -> None:
        nonlocal done
        if run.resource == "tickets" and run.meter.pages == 4 and not done:
            done = True
            slow._load()

    sync(make_pipeline(tmp_path, "quick"), settings, progress=each_page(load_between_chunks))
    sync(make_pipeline(tmp_path, "quick"), settings)
    assert_exact(ask, sandbox.world)


@pytest.mark.long
def test_scripts_of_two_machines_at_once(
    sandbox: SandboxServer, database: Ask, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Two machines run the script at the same time, again and again, while rows change: both exit with 0."""
    sandbox.switches.churn_per_page = 4
    for turn in range(2):
        processes = [start(sandbox, tmp_path, environment, f"machine-{name}") for name in "ab"]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, (turn, errors)
    sandbox.switches.churn_per_page = 0
    process = start(sandbox, tmp_path, environment, "machine-a")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert_exact(database, sandbox.world)


def start(sandbox: SandboxServer, folder: Path, environment: dict[str, str], machine: str) -> subprocess.Popen[str]:
    """Start the script with a data folder of its own, into the one database."""
    variables = {
        "SOURCES__COGNY__API_KEY": KEY,
        "SOURCES__COGNY__BASE_URL": sandbox.base_url,
        "DLT_DATA_DIR": str(folder / machine),
    }
    return subprocess.Popen(
        [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py"), "--chunk-rows", "150"],
        cwd=folder,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
