"""The gate of imports: it refuses each import that goes up, sideways, or around."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.syncs import ROOT

# Where an import is added, and what is imported there.
WRONG = (
    ("destinations.session", "cli.options"),
    ("destinations.filesystem.scan", "dashboard.charts"),
    ("destinations.target", "sandbox.world"),
    ("destinations.duckdb.commit", "destinations.filesystem.dlt_client"),
    ("destinations.session", "destinations.filesystem.dlt_client"),
    ("engine.losses", "destinations.duckdb.commit"),
    ("dashboard.charts", "sandbox.world"),
    ("dashboard.charts", "dashboard.page"),
    ("reconcile.digest", "engine.cancellation"),
    ("schema.spec", "cli.logs"),
    ("monitoring.alert", "cli.sync"),
    ("timestamps", "cli.process"),
    ("monitoring.health", "cli.status"),
    ("extract.listing", "destinations.session"),
    ("extract.listing", "extract.incremental"),
    ("sandbox.world", "timestamps"),
    ("api.retry", "api.http_client"),
    ("api.wire", "api.http_client"),
    ("client.reports", "engine.runner"),
    ("client.models", "client.reports"),
    ("client.cogny", "extract.listing"),
    ("client.cogny", "sandbox.world"),
    ("engine.runner", "testing"),
    ("settings", "dlt_settings"),
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the gate over a copy of the package."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "300"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def add_import(folder: Path, where: str, what: str) -> None:
    """Add an import to a module of the copy."""
    path = folder / "cogny_source" / f"{where.replace('.', '/')}.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\nimport cogny_source.{what}\n", encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts."""
    shutil.copytree(ROOT / "cogny_source", tmp_path / "cogny_source", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_wrong_import_is_refused(copy: Path) -> None:
    """Added together, each of them is named."""
    for where, what in WRONG:
        add_import(copy, where, what)
    done = lint(copy)
    told = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert [pair for pair in WRONG if not all(f"cogny_source.{name}" in told for name in pair)] == []


@pytest.mark.long
@pytest.mark.parametrize(("where", "what"), WRONG)
def test_wrong_import_is_refused_alone(copy: Path, where: str, what: str) -> None:
    """Each by itself breaks a contract that names it."""
    add_import(copy, where, what)
    done = lint(copy)
    assert done.returncode == 1
    assert f"cogny_source.{where} -> cogny_source.{what}" in " ".join(done.stdout.split())


def test_module_without_a_floor_is_refused(copy: Path) -> None:
    """A new module must be given its place."""
    (copy / "cogny_source" / "extract" / "helpers.py").write_text('"""Anything."""\n', encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert "helpers" in done.stdout


def test_house_as_it_is_passes(copy: Path) -> None:
    """The contracts hold, and none is passed by with an exception."""
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "ignore_imports" not in (copy / "pyproject.toml").read_text(encoding="utf-8")
