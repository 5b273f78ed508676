"""A destination that is only a folder and a registration is loaded exactly, or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dlt
import duckdb
import pytest

from cogny_source import sync
from cogny_source.destinations import registry
from cogny_source.destinations.registration import Registration
from cogny_source.destinations.registry import find_adapter
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.errors import ConfigError
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact, assert_marked, read_gone


def test_destination_that_would_hold_rows_twice_is_refused() -> None:
    """For a plain run too."""
    pipeline = Mock(destination=Mock(destination_type="dlt.destinations.filesystem"))
    with pytest.raises(ConfigError, match="appends each version of a row"):
        find_adapter(pipeline)


class PlainSql(dlt.destinations.duckdb):
    """A SQL database that the connector knows nothing of: DuckDB under another name."""

    @property
    def destination_type(self) -> str:
        """A type of its own."""
        return "tests.plain_sql"


def test_database_that_is_only_registered_is_exact(
    sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First load, changes, deletions and the proof by dlt's own loads and merges."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    registration = Registration(
        "plain", "plain", "", (), {}, lambda _: pytest.fail("no command asks"), {"tests.plain_sql": SqlAdapter}
    )
    monkeypatch.setattr(registry, "REGISTRATIONS", {"plain": registration})
    database = tmp_path / "plain.duckdb"
    pipeline = dlt.pipeline(
        "plain", pipelines_dir=str(tmp_path), destination=PlainSql(str(database)), dataset_name="cogny_data"
    )

    def ask(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database)) as db:
            db.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return db.execute(query).fetchall()

    sync(pipeline, settings_for(sandbox))
    assert_exact(ask, sandbox.world)
    sandbox.world.advance(datetime.now(UTC), created=5, changed=20)
    sync(pipeline, settings_for(sandbox))
    assert_exact(ask, sandbox.world)
    sandbox.world.delete("tickets", sandbox.world.rows("tickets")[3]["id"])
    gone, since = read_gone(ask, sandbox.world), sandbox.world.now
    result = sync(pipeline, settings_for(sandbox), verify=True)
    assert_marked(ask, sandbox.world, gone, since, sandbox.world.now)
    assert [run.counts.differences for run in result.resources] == [(), (), ()]
