"""The same promises on every destination, compared cell by cell with the sandbox's truth by a plain reader."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from cogny_source import sync
from cogny_source.destinations.registry import list_column_types
from cogny_source.engine.run_record import SyncResult
from cogny_source.records.columns import arrow_schema
from cogny_source.sandbox import SandboxServer, World
from cogny_source.schema import REPORT_CONTENTS, REPORTS, SYNC_RUNS, TICKETS, ChildSpec, TableSpec
from tests.support.contents import assert_contents, list_completed, read_contents, refusing, tell_contents
from tests.support.places import BigQueryPlace, DuckDBPlace, FolderPlace, Place
from tests.support.syncs import KEY, ROOT, settings_for
from tests.support.truth import assert_exact, assert_marked, read_gone

KINDS = (
    "duckdb",
    "parquet",
    pytest.param("parquet-s3", marks=pytest.mark.long),
    "delta",
    pytest.param("delta-s3", marks=pytest.mark.long),
    "bigquery",
)
ROWS = 180
CHUNK_ROWS = 100


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with a world that takes two chunks and more."""
    with SandboxServer(World(seed=11, tickets=ROWS, reports=30, warehouses=4)) as server:
        yield server


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty destination of each kind."""
    kind, _, store = request.param.partition("-")
    found: Place
    if kind == "duckdb":
        found = DuckDBPlace(tmp_path)
    elif kind == "bigquery":
        found = BigQueryPlace(request.getfixturevalue("bigquery"), tmp_path)
    else:
        found = FolderPlace(tmp_path, kind, request.getfixturevalue("bucket") if store else None)
    for name, value in {**found.environment, "RUNTIME__DLTHUB_TELEMETRY": "false"}.items():
        monkeypatch.setenv(name, value)
    return found


def run(
    place: Place, sandbox: SandboxServer, machine: str = "pipelines", contents: str = "never", **options: Any
) -> SyncResult:
    """Sync as a process on a machine does."""
    settings = settings_for(sandbox, chunk_rows=CHUNK_ROWS, overlap_seconds=0, contents=contents)
    return sync(place.pipeline(machine), settings, **options)


@pytest.fixture
def command(place: Place, sandbox: SandboxServer, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The script that syncs into the place, and its environment."""
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    arguments = [*place.arguments, "--chunk-rows", str(CHUNK_ROWS)]
    return [sys.executable, str(ROOT / "pipelines" / place.script), *arguments], {
        **environment,
        **settings,
        **place.environment,
    }


def test_every_promise(
    place: Place, sandbox: SandboxServer, command: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    """A first load that is killed and goes on elsewhere, no news, changes, odd rows, deletions, and the proof."""
    kill_first_load(sandbox, command, tmp_path)
    go_on_elsewhere(place, sandbox)
    check_types(place)
    sync_without_news(place, sandbox)
    bring_changes(place, sandbox.world, lambda: run(place, sandbox))
    fetch_contents(place, sandbox)
    keep_what_no_column_declares(place, sandbox)
    mark_deletions(place, sandbox)


def kill_first_load(sandbox: SandboxServer, command: tuple[list[str], dict[str, str]], folder: Path) -> None:
    """Kill the script when its first chunk is loaded, and the second one is on its way."""
    arguments, variables = command
    process = subprocess.Popen(arguments, env=variables, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while "rows loaded" not in lines[-1]:
        assert lines[-1], lines
        lines.append(process.stderr.readline())
    process.kill()
    process.communicate()


def go_on_elsewhere(place: Place, sandbox: SandboxServer) -> None:
    """Another machine, whose working folder is empty, reads what is left, and all is there once."""
    asked = len(sandbox.requests)
    result = run(place, sandbox)
    assert_exact(place.ask, sandbox.world)
    assert [entry.mode for entry in result.resources] == ["backfill", "incremental", "full"]
    pages = [r.params for r in sandbox.requests[asked:] if r.path == "/v1/tickets" and r.params["limit"] == "100"]
    rest = next(params["created_after"] for params in pages if "created_after" in params)
    assert rest > min(row["created_at"] for row in sandbox.world.rows("tickets"))
    assert len({load for (load,) in place.ask("SELECT _dlt_load_id FROM tickets")}) > 1


def check_types(place: Place) -> None:
    """The columns have the types that the tables' page tells."""
    types = list_column_types()[place.kind]
    for table in (TICKETS, REPORTS, SYNC_RUNS):
        assert place.types(table.name) == {column.name: types[column.type] for column in table.columns}


def fetch_contents(place: Place, sandbox: SandboxServer) -> None:
    """The contents of all completed reports, then those that changed; their types are those of the tables' page."""
    run(place, sandbox, contents="all")
    assert_contents(place.ask, sandbox.world)
    before = read_contents(place.ask)
    emptied, refused = [row["id"] for row in list_completed(sandbox.world) if row["summary"]["total_insights"]][:2]
    for key in (emptied, refused):
        summary = {"total_queries": 1, "total_insights": 0, "key_findings": []}
        sandbox.world.patch("reports", key, summary=summary)
    asked = len(sandbox.requests)
    with refusing(sandbox, [refused], 404):
        result = run(place, sandbox, contents="all")
    fetches = [record.path for record in sandbox.requests[asked:] if record.path.endswith("/content")]
    assert sorted(fetches) == sorted(f"/v1/reports/{key}/content" for key in (emptied, refused))
    assert result.resources[-1].counts.unexplained_rows == 0
    expected = tell_contents(sandbox.world, [row for row in list_completed(sandbox.world) if row["id"] != refused])
    for table, rows in read_contents(place.ask).items():
        assert sorted([row for row in rows if row[0] != refused], key=itemgetter(0, 1, 2)) == expected[table], table
        if table != "report_contents":
            assert [row for row in rows if row[0] == refused] == [row for row in before[table] if row[0] == refused]
    recorded = "SELECT status, attempts, report_updated_at < attempted_updated_at, fetched_at IS NULL"
    assert place.ask(f"{recorded} FROM report_contents WHERE report_id = '{refused}'") == [("missing", 1, True, False)]
    types = list_column_types()[place.kind]
    assert place.types(REPORT_CONTENTS.name) == {c.name: types[c.type] for c in REPORT_CONTENTS.columns}
    assert_analyst_queries(place)


def assert_analyst_queries(place: Place) -> None:
    """The queries that the documentation shows for contents find the same on each destination as DuckDB does."""
    page = (ROOT / "docs" / "queries.md").read_text("utf-8").partition("## What reports say")[2]
    queries = [text.replace("cogny_data.", "") for text in re.findall(r"```sql\n(.*?)```", page, re.DOTALL)]
    with duckdb.connect() as plain:
        plain.execute("SET TimeZone = 'UTC'")
        specs: list[TableSpec | ChildSpec] = [REPORTS, REPORT_CONTENTS, *REPORT_CONTENTS.child_tables]
        for spec in specs:
            schema = arrow_schema(spec.columns)
            rows = place.ask(f"SELECT {', '.join(schema.names)} FROM {spec.name}")
            table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
            plain.register(spec.name, table)
        expected = [plain.execute(query).fetchall() for query in queries]
    assert len(queries) == 4
    assert all(expected)
    for query, rows in zip(queries, expected, strict=True):
        assert _rounded(place.ask(query)) == _rounded(rows), query


def _rounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose means may differ in their last digits."""
    return [tuple(round(value, 9) if isinstance(value, float) else value for value in row) for row in rows]


def sync_without_news(place: Place, sandbox: SandboxServer) -> None:
    """Nothing is written but the sync's own record."""
    loads = place.ask("SELECT id, _dlt_load_id FROM tickets ORDER BY 1")
    [(records,)] = place.ask("SELECT count(*) FROM sync_runs")
    asked = len(sandbox.requests)
    run(place, sandbox)
    assert len(sandbox.requests) - asked == 2 + 2 + 1
    assert place.ask("SELECT id, _dlt_load_id FROM tickets ORDER BY 1") == loads
    assert place.ask("SELECT count(*) FROM sync_runs") == [(records + 3,)]
    assert place.ask("SELECT count(*) FROM sync_runs WHERE mode = 'incremental' AND status = 'done'") == [(3,)]


def bring_changes(place: Place, world: World, sync_again: Callable[[], object]) -> None:
    """Updates, inserts, and lists that were emptied, shortened and made longer are there after the next sync."""
    rows = [row for row in world.rows("tickets") if len(row["action_items"] or []) > 1]
    world.patch("tickets", rows[0]["id"], action_items=[])
    world.patch("tickets", rows[1]["id"], action_items=rows[1]["action_items"][:1])
    items = [*rows[2]["action_items"], "one more", "🚀 'quoted' \"twice\"\n"]
    world.patch("tickets", rows[2]["id"], action_items=items)
    world.patch("tickets", rows[3]["id"], title="Ünïcode\t\\ / \x7f", supporting_data={"b": [1, 2.5, None], "a": "x"})
    world.advance(datetime.now(UTC), created=15, changed=40)
    sync_again()
    assert_exact(place.ask, world)
    assert place.ask(f"SELECT count(*) FROM tickets__action_items WHERE ticket_id = '{rows[0]['id']}'") == [(0,)]
    [(versions,)] = place.ask(f"SELECT count(*) FROM tickets_history WHERE id = '{rows[0]['id']}'")
    assert versions >= 2


def keep_what_no_column_declares(place: Place, sandbox: SandboxServer) -> None:
    """A field that is not declared, and values that do not fit, are in `extra`; a row without a date comes too."""
    odd = {"sla": {"hours": 4}, "title": ["a", "b"], "updated_at": "yesterday"}
    sandbox.world.put("tickets", {**sandbox.world.rows("tickets")[0], "id": "tkt_odd", **odd})
    [tickets] = run(place, sandbox, census="always", resources=["tickets"]).resources
    assert tickets.undeclared.keys() >= {"sla", "title", "updated_at"}
    [(extra, title)] = place.ask("SELECT extra, title FROM tickets WHERE id = 'tkt_odd'")
    assert (json.loads(extra), title) == (odd, None)
    sandbox.world.delete("tickets", "tkt_odd")


def mark_deletions(place: Place, sandbox: SandboxServer) -> None:
    """A census marks what is gone, in the place it has, and then the proof finds no difference."""
    for name, position in (("tickets", 7), ("tickets", 120), ("reports", 3), ("warehouses", 1)):
        sandbox.world.delete(name, sandbox.world.rows(name)[position]["id"])
    gone, since = read_gone(place.ask, sandbox.world), sandbox.world.now
    result = run(place, sandbox, verify=True)
    assert_marked(place.ask, sandbox.world, gone, since, sandbox.world.now)
    assert [entry.counts.deleted_rows for entry in result.resources] == [3, 1, 1]
    assert [entry.counts.differences for entry in result.resources] == [(), (), ()]
