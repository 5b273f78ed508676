"""What the connector knows of DuckDB: where a test fails with a new version, its message says what breaks."""

from __future__ import annotations

import ast
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from cogny_source.destinations.duckdb.database_file import HEADERS_BYTES, MAGIC, MAGIC_AT
from cogny_source.destinations.duckdb.memory import MemoryPlan, keep_within
from cogny_source.destinations.duckdb_engine import LOCKED, open_arrow, read_arrow
from tests.support.syncs import ROOT

SETTINGS = ("max_vacuum_tasks", "checkpoint_threshold", "memory_limit", "threads")


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A file with a table of 100,000 rows."""
    connection = duckdb.connect(str(tmp_path / "facts.duckdb"))
    connection.execute("CREATE TABLE numbers AS SELECT i FROM range(100_000) t(i)")
    return connection


def test_arrow_comes_in_batches(connection: duckdb.DuckDBPyConnection) -> None:
    """With parameters and without, and the connection is free afterwards, also where the rest is left."""
    with open_arrow(connection, "FROM numbers WHERE i >= ? ORDER BY i", [10], batch_rows=2048) as reader:
        first = reader.read_next_batch()
        assert first.num_rows <= 2048, "if this fails, a verification takes the memory of a table: look at open_arrow"
        assert first.column(0)[0].as_py() == 10
    with open_arrow(connection, "FROM numbers", batch_rows=2048) as reader:
        assert sum(batch.num_rows for batch in reader) == 100_000
    assert read_arrow(connection, "SELECT sum(i) AS s FROM numbers")["s"].to_pylist() == [4_999_950_000]


def test_no_result_is_left_open() -> None:
    """DuckDB 2 does nothing else on a connection while `fetchone` has left rows."""
    calls = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "cogny_source").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("fetchone", "fetchmany")
    }
    assert calls == set(), "if this fails, a census breaks with DuckDB 2: fetch all rows"


def test_result_that_was_fetched_leaves_the_connection_free(connection: duckdb.DuckDBPyConnection) -> None:
    """A table can be registered after it."""
    assert connection.execute("SELECT max(i) FROM numbers").fetchall() == [(99_999,)]
    connection.register("batch", pa.table({"i": [1]}))
    assert connection.execute("FROM batch").fetchall() == [(1,)]


def test_settings_of_a_commit_are_there_and_set_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Each by its name, with a value that can be given back."""
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in SETTINGS)}"
    before = connection.execute(query).fetchall()
    with keep_within(MemoryPlan(32), connection):
        [(tasks, threshold, limit, threads)] = connection.execute(query).fetchall()
        assert (tasks, threshold, limit, threads) == (0, "0 bytes", "30.5 MiB", 1), (
            "if this fails, a commit takes more memory: look at duckdb/memory.py, keep_within"
        )
    assert connection.execute(query).fetchall() == before


def test_connections_blocks_and_rows_are_told(connection: duckdb.DuckDBPyConnection) -> None:
    """The functions that the plan of memory asks."""
    assert connection.execute("FROM duckdb_connection_count()").fetchall() == [(1,)], (
        "if this fails, settings of a shared database may change: look at duckdb/commit.py, _is_shared"
    )
    used = "SELECT used_blocks * block_size > 0 FROM pragma_database_size() WHERE database_name = current_database()"
    connection.execute("CHECKPOINT")
    most = "SELECT max(estimated_size) FROM duckdb_tables() WHERE NOT internal"
    assert connection.execute(f"SELECT ({used}), ({most})").fetchall() == [(True, 100_000)], (
        "if this fails, row groups are joined at the wrong time: look at duckdb/commit.py, _weigh_file"
    )


def test_file_begins_with_its_mark(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """And three headers."""
    connection.close()
    content = (tmp_path / "facts.duckdb").read_bytes()
    assert content[MAGIC_AT] == MAGIC, "if this fails, databases are refused: look at duckdb/database_file.py"
    assert len(content) >= HEADERS_BYTES


def test_text_of_a_locked_file_is_known() -> None:
    """Two processes are needed to see it, as `test_end_to_end` has."""
    told = (ROOT / "tests" / "e2e" / "test_script.py").read_text(encoding="utf-8")
    assert f'"{LOCKED}" in' in told, "if this fails, a sync does not wait for a file that is held: look at session.py"
