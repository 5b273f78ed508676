"""Fixtures: a sandbox with a small world, and the pipeline's script run against it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from unittest.mock import patch

import dlt
import duckdb
import pytest
import requests
from click.testing import CliRunner
from hypothesis import settings as hypothesis_settings

from cogny_source.cli import main
from cogny_source.sandbox import SandboxServer, World
from tests.support.emulator import Dataset, Emulator, require_emulator, run_emulator
from tests.support.places import BUCKET, FolderPlace
from tests.support.syncs import KEY, NAME, ROOT, Begin, Script, make_pipeline, wait_until
from tests.support.webhook import Webhook

# dlt asks once a second whether a job is done.
POLL_SECONDS = 0.05
TESTS = Path(__file__).parent
# The same examples in each run, and many more, other ones each time, in `make test-long`.
hypothesis_settings.register_profile("short", max_examples=100, derandomize=True, deadline=None)
hypothesis_settings.register_profile("long", max_examples=1000, deadline=None)
hypothesis_settings.load_profile("short")
# A shell's job in the background ignores it, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, such as `unit`; begin with the longest ones, the simulations."""
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] != "simulation")


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with 450 tickets, 40 reports and 5 warehouses, its clock standing still between turns."""
    with SandboxServer(World(seed=7, tickets=450, reports=40, warehouses=5)) as server:
        yield server


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a scheduled run has: a home of its own, no settings but telemetry off."""
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")}
    home = tmp_path / "home"
    home.mkdir()
    # Which dlt leaves aside where root runs it.
    settings = {"HOME": str(home), "DLT_DATA_DIR": str(home / ".dlt")}
    return {**kept, **settings, "RUNTIME__DLTHUB_TELEMETRY": "false", "COLUMNS": "300"}


@pytest.fixture
def script(tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer) -> Script:
    """Run `pipelines/cogny_to_duckdb.py` against the sandbox, in an empty folder."""

    def run(*arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url, **variables}
        done = subprocess.run(
            [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py"), *arguments],
            cwd=tmp_path,
            env={**environment, **{name: value for name, value in settings.items() if value}},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(autouse=True)
def loggers() -> Iterator[dict[str, logging.Logger]]:
    """The loggers that the command configures, which are set back afterwards."""
    found = {name: logging.getLogger(name) for name in ("cogny_source", "dlt")}
    before = [
        (logger, logger.handlers, logger.propagate, logger.level, list(logger.filters)) for logger in found.values()
    ]
    yield found
    for logger, handlers, propagate, level, filters in before:
        logger.handlers, logger.propagate, logger.filters = handlers, propagate, filters
        logger.setLevel(level)


@pytest.fixture
def cogny(
    tmp_path: Path,
    environment: dict[str, str],
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    loggers: dict[str, logging.Logger],
) -> Iterator[Script]:
    """Run the command `cogny` in this process, in an empty folder: a new one takes two seconds to import dlt."""
    monkeypatch.chdir(tmp_path)

    def run(
        *arguments: str, expect: int = 0, typed: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url, **variables}
        given = {name: value for name, value in settings.items() if value}
        with patch.dict(os.environ, {**environment, **given}, clear=True):
            done = CliRunner().invoke(main, arguments, input=typed, catch_exceptions=False)
        assert done.exit_code == expect, done.output
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    yield run
    dlt.pipeline(NAME, pipelines_dir=str(tmp_path / "pipelines")).deactivate()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook on this machine."""
    hook = Webhook()
    thread = Thread(target=hook.server.serve_forever, args=(0.01,))
    thread.start()
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


@pytest.fixture
def sync_here(cogny: Script) -> Script:
    """Run in this process what `script` runs."""
    return partial(cogny, "sync", "duckdb")


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer) -> Iterator[Begin]:
    """Start a script of `pipelines/` against the sandbox and do not wait; what still runs in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start_script(name: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url, **variables}
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "pipelines" / name), *arguments],
            cwd=tmp_path,
            env={**environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_script
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def begin(start: Begin) -> Begin:
    """Start the script into DuckDB as `script` runs it."""
    return partial(start, "cogny_to_duckdb.py")


@pytest.fixture
def database(tmp_path: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """Ask the database that the script wrote."""

    def ask(query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(tmp_path / "cogny.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return connection.execute(query).fetchall()

    return ask


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dlt.Pipeline]:
    """A pipeline into a DuckDB file of its own, in this process."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    yield make_pipeline(tmp_path)
    dlt.pipeline(NAME, pipelines_dir=str(tmp_path / "pipelines")).deactivate()


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """Ask, or change, the database that a pipeline of this process wrote."""

    def query(sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(tmp_path / "cogny.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The tests' BigQuery; in CI it must be there."""
    require_emulator()
    with run_emulator(tmp_path_factory.mktemp("bigquery")) as running:
        yield running


@pytest.fixture
def bigquery(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    """A dataset of its own in the tests' BigQuery, for pipelines of this process."""
    for name, value in emulator.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    for module in ("dlt.destinations.impl.bigquery.bigquery", "dlt.load.load"):
        monkeypatch.setattr(f"{module}.sleep", lambda _: time.sleep(POLL_SECONDS))
    yield Dataset(emulator, f"cogny_{uuid.uuid4().hex[:8]}")
    dlt.pipeline(NAME).deactivate()


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The address of an object store with an empty bucket, in a process of its own: deltalake calls it with the GIL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    endpoint = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: _answers(endpoint), server)
            FolderPlace(Path("any"), "parquet", endpoint).open_bucket().mkdir(BUCKET)
            yield endpoint
        finally:
            server.kill()


def _answers(endpoint: str) -> bool:
    try:
        requests.get(endpoint, timeout=5)
    except requests.ConnectionError:
        return False
    return True
