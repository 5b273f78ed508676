"""A later version of the connector loads into a database that an earlier one made, without a full refresh."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer
from tests.integration.versions.export import make_world
from tests.support.syncs import KEY, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact

FOLDER = Path(__file__).parent / "versions"
VERSIONS = sorted(path.name for path in FOLDER.iterdir() if (path / "schema.sql").exists())


def restore(version: str, database: Path) -> None:
    """Make the database that a version left."""
    kept = FOLDER / version
    with duckdb.connect(str(database)) as connection:
        connection.execute((kept / "schema.sql").read_text())
        for statement in (kept / "load.sql").read_text().splitlines():
            connection.execute(statement.replace(" FROM '", f" FROM '{kept}/"))


@pytest.mark.parametrize("version", VERSIONS)
def test_database_of_an_earlier_version_is_brought_up_to_date(
    version: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and columns that came later are added; only what changed is read, and every cell is exact."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    restore(version, tmp_path / "cogny.duckdb")
    before = {load for (load,) in ask("SELECT DISTINCT _dlt_load_id FROM tickets")}
    with SandboxServer(make_world()) as sandbox:
        world = sandbox.world
        row = world.rows("tickets")[0]
        world.churn("tickets", created=2)
        world.patch("tickets", row["id"], title="later", action_items=["one"])
        result = sync(make_pipeline(tmp_path), settings_for(sandbox, overlap_seconds=0.0))
        assert [run.mode for run in result.resources] == ["incremental", "incremental", "full"]
        assert_exact(ask, world)
    assert ask(f"SELECT count(*) FROM tickets WHERE _dlt_load_id IN ('{next(iter(before))}')") == [(59,)]
    assert ask("SELECT count(*) FROM sync_runs WHERE live_rows IS NULL") == [(3,)]
    assert ask("SELECT count(*) FROM tickets_history") == [(3,)]
    assert KEY not in str(ask("SELECT * FROM sync_runs"))
