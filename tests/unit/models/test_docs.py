"""The models' documentation, with programs that stand in for dbt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.models import docs
from cogny_source.models.docs import find_dbt, install_dbt, write_docs

WRITES = """mkdir target && cat profiles.yml "$DBT_PROFILES_DIR/dbt_project.yml" > target/static_index.html
echo "$@" >> target/static_index.html"""
Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a program out of a line of shell."""

    def write(line: str) -> Path:
        program = tmp_path / "environment" / "bin" / "dbt"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        return program

    return write


def test_page_is_what_dbt_writes_of_a_copy(make: Make, tmp_path: Path) -> None:
    """With the profile and the dataset; the copy is gone afterwards."""
    out = tmp_path / "models.html"
    write_docs(make(WRITES), "growth", {"type": "duckdb", "path": "/x.duckdb"}, out)
    text = out.read_text()
    assert 'path: "/x.duckdb"' in text
    assert "cogny_schema: growth " in text
    assert "docs generate --static" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("echo first; echo 'no schema'; exit 2", "dbt cannot write the documentation: no schema"),
        ("echo nothing was written", "nothing was written"),
        ("exit 1", "it told no reason"),
        (f"{WRITES}; true", "cannot be written: Is a directory"),
    ],
)
def test_a_failure_is_one_sentence(make: Make, tmp_path: Path, line: str, reason: str) -> None:
    """Of dbt, or of the disk."""
    with pytest.raises(LoadFailed, match=reason):
        write_docs(make(line), "growth", {}, tmp_path)


def test_dbt_is_found_in_its_environment_or_on_the_path(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order; where there is none the error says how to get it."""
    program = make("true")
    monkeypatch.setattr(docs.sys, "executable", str(tmp_path / "python"))  # type: ignore[attr-defined]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_dbt(tmp_path / "environment") == program
    with pytest.raises(ConfigError, match="--install makes an environment for it"):
        find_dbt(tmp_path / "other")
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_dbt(tmp_path / "other") == program


def test_an_installation_tells_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it runs; what pip refuses is one sentence."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    monkeypatch.setattr(docs.venv, "create", lambda *_, **__: None)  # type: ignore[attr-defined]
    told: list[str] = []
    for line in ("exit 0", "echo 'ERROR: no network' >&2; exit 1"):
        python.write_text(f"#!/bin/sh\n{line}\n")
        python.chmod(0o755)
        if line == "exit 0":
            install_dbt(tmp_path / "environment", "duckdb", told.append)
        else:
            with pytest.raises(LoadFailed, match="dbt cannot be installed: ERROR: no network"):
                install_dbt(tmp_path / "environment", "bigquery", told.append)
    assert [line.partition(" -m pip install ")[0] for line in told] == [str(python)] * 2
    assert "'dbt-core>=1.11,<1.12' 'dbt-duckdb>=1.10,<2'" in told[0]
    assert "dbt-bigquery" in told[1]
