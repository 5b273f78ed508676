"""Names of files and folders that a library could not take: refused before the first request, in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cogny_source.destinations.duckdb.target import make_duckdb_target
from cogny_source.destinations.filesystem.target import make_folder_target
from cogny_source.errors import ConfigError


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
