"""The tests' dbt, and Google's analyzer of BigQuery's SQL, in an environment of their own that `make dbt` makes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".venv-dbt"
MISSING = "the tests' dbt is not installed: `make dbt`"
Told = dict[str, str | dict[str, str]]


def require_dbt(environment: Path = ENVIRONMENT) -> None:
    """Skip the test where `make dbt` has not been; in CI, fail it."""
    if not (environment / ".ready").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)


def run_dbt(project: Path, *arguments: str) -> str:
    """Run dbt in a project that holds its profile; returns what it prints."""
    command = [str(ENVIRONMENT / "bin" / "dbt"), "--no-use-colors", "--no-send-anonymous-usage-stats", *arguments]
    variables = {"PATH": os.environ["PATH"], "HOME": str(project), "DBT_PROFILES_DIR": str(project)}
    done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def analyze(tables: Mapping[str, Mapping[str, str]], queries: Sequence[tuple[str, str]]) -> Told:
    """Analyse queries as BigQuery does.

    Args:
        tables: Each table's columns with their types.
        queries: A name and SQL each.

    Returns:
        For each query an error's text, or its columns with their types.
    """
    command = [str(ENVIRONMENT / "bin" / "python"), str(Path(__file__).with_name("analyze.py"))]
    given = json.dumps({"tables": tables, "queries": queries})
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return told
