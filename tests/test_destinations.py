"""The same promises on every destination, compared cell by cell with the sandbox's truth by a plain reader."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from places import BUCKET, DuckDBPlace, FolderPlace, Place
from support import KEY, ROOT, settings_for, wait_until
from truth import assert_exact, assert_marked, read_gone

from cogny_source import sync
from cogny_source.engine.record import ResourceRun, SyncResult
from cogny_source.sandbox import SandboxServer, World

KINDS = ("duckdb", "parquet", "parquet-s3", "delta", "delta-s3")
TICKETS = 250
CHUNK_ROWS = 100


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with a world that takes three chunks."""
    with SandboxServer(World(seed=11, tickets=TICKETS, reports=30, warehouses=4)) as server:
        yield server


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


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty destination of each kind."""
    kind, _, store = request.param.partition("-")
    found: Place
    if kind == "duckdb":
        found = DuckDBPlace(tmp_path)
    else:
        found = FolderPlace(tmp_path, kind, request.getfixturevalue("bucket") if store else None)
    for name, value in {**found.environment, "RUNTIME__DLTHUB_TELEMETRY": "false"}.items():
        monkeypatch.setenv(name, value)
    return found


def run(place: Place, sandbox: SandboxServer, machine: str = "pipelines", **options: Any) -> SyncResult:
    """Sync as a process on a machine does."""
    return sync(place.pipeline(machine), settings_for(sandbox, chunk_rows=CHUNK_ROWS, overlap_seconds=0), **options)


def by_name(result: SyncResult) -> dict[str, ResourceRun]:
    """A result's entries by resource."""
    return {entry.resource: entry for entry in result.resources}


def test_first_sync_and_no_change(place: Place, sandbox: SandboxServer) -> None:
    """A first sync in chunks brings every cell; one without news loads nothing but its own record."""
    run(place, sandbox)
    assert_exact(place.ask, sandbox.world)
    loads = place.ask("SELECT id, _dlt_load_id FROM tickets ORDER BY 1")
    assert len({load for _, load in loads}) == 3
    asked = len(sandbox.requests)
    run(place, sandbox)
    assert len(sandbox.requests) - asked == 2 + 2 + 1
    assert place.ask("SELECT id, _dlt_load_id FROM tickets ORDER BY 1") == loads
    assert place.ask("SELECT resource, mode, status FROM sync_runs ORDER BY started_at, resource") == [
        ("reports", "backfill", "done"),
        ("tickets", "backfill", "done"),
        ("warehouses", "full", "done"),
        ("reports", "incremental", "done"),
        ("tickets", "incremental", "done"),
        ("warehouses", "full", "done"),
    ]


def test_changes_arrive(place: Place, sandbox: SandboxServer) -> None:
    """Updates, inserts, emptied, shortened and grown lists, undeclared fields and odd values are there afterwards."""
    world = sandbox.world
    run(place, sandbox)
    rows = [row for row in world.rows("tickets") if len(row["action_items"] or []) > 1]
    world.patch("tickets", rows[0]["id"], action_items=[])
    world.patch("tickets", rows[1]["id"], action_items=rows[1]["action_items"][:1])
    world.patch(
        "tickets", rows[2]["id"], action_items=[*rows[2]["action_items"], "one more", "🚀 'quoted' \"twice\"\n"]
    )
    world.patch("tickets", rows[3]["id"], title="Ünïcode\t\\ / \x7f", supporting_data={"b": [1, 2.5, None], "a": "x"})
    world.advance(datetime.now(UTC), created=30, changed=40)
    run(place, sandbox)
    assert_exact(place.ask, world)
    assert place.ask(f"SELECT count(*) FROM tickets__action_items WHERE ticket_id = '{rows[0]['id']}'") == [(0,)]
    odd = {"sla": {"hours": 4}, "title": ["a", "b"], "updated_at": "yesterday"}
    world.put("tickets", {**rows[4], "id": "tkt_odd", **odd})
    result = run(place, sandbox, census="always")
    assert by_name(result)["tickets"].undeclared.keys() >= {"sla", "title", "updated_at"}
    [(extra, title)] = place.ask("SELECT extra, title FROM tickets WHERE id = 'tkt_odd'")
    assert (json.loads(extra), title) == (odd, None)
    versions = place.ask(f"SELECT count(*) FROM tickets_history WHERE id = '{rows[0]['id']}'")
    assert versions >= [(2,)]


def test_deletions_are_marked_and_the_proof_holds(place: Place, sandbox: SandboxServer) -> None:
    """A census marks what is gone, in the place it has; a verification finds no difference."""
    run(place, sandbox)
    for name, position in (("tickets", 7), ("tickets", 120), ("reports", 3), ("warehouses", 1)):
        sandbox.world.delete(name, sandbox.world.rows(name)[position]["id"])
    gone, since = read_gone(place.ask, sandbox.world), sandbox.world.now
    result = run(place, sandbox, verify=True)
    assert_marked(place.ask, sandbox.world, gone, since, sandbox.world.now)
    assert {name: entry.tally.deleted_rows for name, entry in by_name(result).items()} == {
        "tickets": 2,
        "reports": 1,
        "warehouses": 1,
    }
    assert [entry.tally.differences for entry in result.resources] == [(), (), ()]


def test_state_is_restored_into_an_empty_working_folder(place: Place, sandbox: SandboxServer, tmp_path: Path) -> None:
    """Another machine goes on where the first one was: its sync is incremental, and lists are replaced as ever."""
    run(place, sandbox)
    shutil.rmtree(tmp_path / "pipelines")
    sandbox.world.advance(datetime.now(UTC), created=5, changed=20)
    result = run(place, sandbox, "elsewhere")
    assert [entry.mode for entry in result.resources] == ["incremental", "incremental", "full"]
    assert_exact(place.ask, sandbox.world)


@pytest.fixture
def command(place: Place, sandbox: SandboxServer, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The script that syncs into the place, and its environment."""
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    arguments = [
        sys.executable,
        str(ROOT / "pipelines" / place.script),
        *place.arguments,
        "--chunk-rows",
        str(CHUNK_ROWS),
    ]
    return arguments, {**environment, **settings, **place.environment}


def test_killed_script_goes_on(
    place: Place,
    sandbox: SandboxServer,
    command: tuple[list[str], dict[str, str]],
    tmp_path: Path,
) -> None:
    """A script killed in the middle of a first load is exact after the next run, which asks for less."""
    arguments, variables = command
    process = subprocess.Popen(arguments, env=variables, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    # The first chunk is loaded once it says so; the second one is on its way then.
    assert "rows loaded" in process.stderr.readline()
    process.kill()
    process.communicate()
    asked = len(sandbox.requests)
    done = subprocess.run(arguments, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert_exact(place.ask, sandbox.world)
    pages = [request for request in sandbox.requests[asked:] if request.path == "/v1/tickets" and request.status == 200]
    first = pages[1].params["created_after"] if "created_after" in pages[1].params else pages[0].params["created_after"]
    assert first > min(row["created_at"] for row in sandbox.world.rows("tickets"))
