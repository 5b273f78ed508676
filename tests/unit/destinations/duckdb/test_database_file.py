"""Which file is a database of DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cogny_source.destinations.duckdb.database_file import HEADERS_BYTES, holds_database
from cogny_source.errors import ConfigError


def test_what_a_database_is(tmp_path: Path) -> None:
    """A whole one by its mark; what is shorter than its headers is none yet."""
    path = tmp_path / "a.duckdb"
    assert not holds_database(path)
    assert not holds_database(tmp_path / ("a" * 300))
    duckdb.connect(str(path)).close()
    assert holds_database(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: HEADERS_BYTES - 1])
    assert not holds_database(path)
    path.write_bytes(b"\0" * 8 + b"DUCS")
    with pytest.raises(ConfigError, match="is not a DuckDB database"):
        holds_database(path)
