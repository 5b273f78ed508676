"""Files merged into DuckDB at once: exact in any folder, without staging tables, and only where keys are distinct."""

from __future__ import annotations

from pathlib import Path

import dlt
import duckdb

from cogny_source.destinations.duckdb.dlt_client import MergingDuckDb
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script
from tests.support.truth import Ask, assert_exact


def test_folders_with_odd_names_change_no_value(
    sandbox: SandboxServer, sync_here: Script, database: Ask, tmp_path: Path
) -> None:
    """A working directory whose path reads like a partition, a pattern or a quoted text is a path and nothing else."""
    folder = str(tmp_path / "status=raw" / "it's [1]*?")
    sync_here("--quiet", "--chunk-rows", "200", DLT_DATA_DIR=folder)
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[3]["id"], action_items=[], notes="changed")
    sync_here("--quiet", DLT_DATA_DIR=folder)
    assert_exact(database, sandbox.world)


def test_no_staging_schema_is_left_behind(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Whoever opens the file finds the dataset, and none that is always empty."""
    sync_here("--quiet", "--resources", "warehouses")
    schemas = database("SELECT DISTINCT schema_name FROM duckdb_tables()")
    assert schemas == [("cogny_data",)]


def test_other_tables_are_merged_by_dlt(tmp_path: Path) -> None:
    """Where a load may bring a key twice, dlt's own merge takes one of the two."""
    path = tmp_path / "other.duckdb"
    pipeline = dlt.pipeline(
        "other", pipelines_dir=str(tmp_path), destination=MergingDuckDb(str(path)), dataset_name="rows_of_others"
    )
    rows = [{"id": 1, "name": "a"}, {"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    for _ in range(2):
        pipeline.run(rows, table_name="things", write_disposition="merge", primary_key="id")
    pipeline.deactivate()
    with duckdb.connect(str(path)) as connection:
        found = connection.execute("SELECT id, name FROM rows_of_others.things ORDER BY id").fetchall()
    assert found == [(1, "a"), (2, "b")]
