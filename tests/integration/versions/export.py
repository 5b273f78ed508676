"""Keep a database as this version of the connector makes it: `python -m tests.integration.versions.export 0.1.0`.

A later version must load into it; `tests/integration/test_earlier_versions.py` shows that it does.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import dlt
import duckdb

from cogny_source import Settings, sync
from cogny_source.sandbox import SandboxServer, World

BORN_AT = datetime(2026, 11, 1, tzinfo=UTC)


def make_world() -> World:
    """The account that every kept database was loaded from."""
    return World(seed=11, tickets=60, reports=20, warehouses=3, now=BORN_AT)


def export(folder: Path) -> None:
    """Load the account into a new database and write that as SQL and Parquet files."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with tempfile.TemporaryDirectory() as scratch, SandboxServer(make_world()) as sandbox:
        database = Path(scratch) / "cogny.duckdb"
        pipeline = dlt.pipeline(
            "cogny",
            pipelines_dir=str(Path(scratch) / "pipelines"),
            destination=dlt.destinations.duckdb(str(database)),
            dataset_name="cogny_data",
        )
        sync(pipeline, Settings("sk_test_sandbox", sandbox.base_url, requests_per_minute=None))
        shutil.rmtree(folder, ignore_errors=True)
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"EXPORT DATABASE '{folder}' (FORMAT parquet, COMPRESSION zstd)")
        load = folder / "load.sql"
        load.write_text(load.read_text().replace(f"'{folder}/", "'"))


if __name__ == "__main__":
    export(Path(__file__).parent / sys.argv[1])
