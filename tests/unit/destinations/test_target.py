"""Names of files and folders that a library could not take: refused before the first request, in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cogny_source.destinations.duckdb.target import make_duckdb_target
from cogny_source.destinations.filesystem.target import make_folder_target
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


def test_names_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    """Latin-1, or a name beyond ASCII under LC_ALL=C: Python keeps such bytes as halves of surrogate pairs."""
    name = os.fsdecode(b"caf\xe9")
    for make in (
        lambda: make_duckdb_target(tmp_path / f"{name}.duckdb", "cogny_data"),
        lambda: make_folder_target(str(tmp_path / name), None, "parquet"),
        lambda: make_folder_target(str(tmp_path / name), None, "delta"),
        lambda: make_folder_target(f"s3://{name}", None, "parquet"),
    ):
        with pytest.raises(ConfigError, match=r"is not UTF-8 .* LC_ALL=C.UTF-8") as refused:
            make()
        str(refused.value).encode("utf-8")


@pytest.mark.parametrize(("name", "shown"), [("a\nb", r"\n"), ("a\x7fb", r"\x7f"), ("a%b", "%"), ("a\tb", r"\t")])
def test_delta_folder_that_the_library_cannot_open_is_refused(name: str, shown: str, tmp_path: Path) -> None:
    """Before anything is made; the sentence stays on one line."""
    with pytest.raises(ConfigError) as refused:
        make_folder_target(str(tmp_path / name), None, "delta")
    assert str(refused.value).startswith(f"deltalake cannot open a path with {shown}, such as ")
    assert str(refused.value).isprintable()
    make_folder_target(str(tmp_path / name), None, "parquet")
