"""The options of DuckDB: which names a database's file may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from cogny_source.destinations.duckdb.target import make_duckdb_target
from cogny_source.errors import ConfigError


@pytest.mark.parametrize(
    "name",
    [
        "cogny_data.duckdb",
        "Cogny_Data.duckdb",
        "cogny_data.prod.duckdb",
        "cogny_data",
        "COGNY_DATA_STAGING.db",
        "information_schema.duckdb",
        "Information_Schema.old.duckdb",
    ],
)
def test_database_that_is_named_as_a_schema_is_refused(name: str, tmp_path: Path) -> None:
    """DuckDB names a database after its file, and could not tell it from the schema."""
    with pytest.raises(ConfigError, match="cannot hold the dataset cogny_data: name another file"):
        make_duckdb_target(tmp_path / name, "cogny_data")


@pytest.mark.parametrize(
    "name",
    ["cogny.duckdb", "cogny_database.duckdb", "q?x=1.duckdb", "temp.duckdb", "main.duckdb", "a\nb.duckdb", "été.db"],
)
def test_other_names_are_taken(name: str, tmp_path: Path) -> None:
    """As they are."""
    assert name in make_duckdb_target(tmp_path / name, "cogny_data").identity


def test_database_in_memory_is_refused() -> None:
    """It would be gone at once."""
    with pytest.raises(ConfigError, match=":memory: would be gone"):
        make_duckdb_target(Path(":memory:"), "cogny_data")
