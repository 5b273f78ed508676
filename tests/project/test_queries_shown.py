"""The Python that README.md and the pages of docs/ show, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer
from tests.support.places import FolderPlace
from tests.support.syncs import KEY, ROOT, Script, settings_for

PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("destinations", "queries"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"```(python|sql)\n(.*?)```", TEXT, re.DOTALL)
READERS = ("duckdb", "pandas", "polars")


def blocks(language: str, *words: str) -> list[str]:
    """The blocks of a language that hold some words."""
    return [text for name, text in BLOCKS if name == language and all(word in text for word in words)]


def execute(code: str, folder: Path, **variables: str) -> str:
    """Run Python as a person would paste it; returns what it prints."""
    # Now and then deltalake's threads abort the process at its end.
    code += "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_queries_of_a_folder(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB, pandas, Polars and deltalake count the open tickets of a folder by priority."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "ERROR")
    for name, place in (("exports", FolderPlace(tmp_path, "parquet")), ("lake", FolderPlace(tmp_path, "delta"))):
        place.url = str(tmp_path / name)
        sync(place.pipeline(name), settings_for(sandbox))
    queries = [block for reader in READERS for block in blocks("python", f"import {reader}\n", "exports/tickets")]
    queries += blocks("python", "from deltalake import", "lake/tickets")
    assert len(queries) == 4
    for query in queries:
        told = execute(query, tmp_path)
        assert "critical" in told
        assert "low" in told


def test_program_shown(sandbox: SandboxServer, sync_here: Script, tmp_path: Path) -> None:
    """The program of the README syncs and loads."""
    sync_here("--database", "growth.duckdb")
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    [program] = blocks("python", "sync(pipeline)")
    execute(program, tmp_path, DLT_DATA_DIR=str(tmp_path / "dlt"), **variables)
