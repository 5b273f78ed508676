"""Airflow for the tests: the modules beside its DAGs, and Airflow itself in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.syncs import PATIENCE_SECONDS, ROOT

ENVIRONMENT = ROOT / ".venv-airflow"
DAGS = ROOT / "pipelines" / "airflow"
DRIVER = ROOT / "tests" / "e2e" / "airflow" / "drive.py"
FOUND = "found: "
MISSING = "the tests' Airflow is not installed: `make airflow`"


def load_part(name: str) -> ModuleType:
    """A module beside the DAGs, which are no package: Airflow finds it in their folder."""
    if str(DAGS) not in sys.path:
        sys.path.append(str(DAGS))
    return import_module(name)


def require_airflow(environment: Path = ENVIRONMENT) -> None:
    """Skip the test where `make airflow` has not been; in CI, fail it."""
    if not (environment / ".ready").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)


class Airflow:
    """An Airflow that runs DAGs on request.

    Attributes:
        process: Where it runs.
        parsed: What parsing the DAGs did, and what they promise.
        log: All lines that it has logged.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.parsed = self._read()

    def run(
        self, dag: str, variables: dict[str, str], conf: dict[str, str] | None = None, **otherwise: int
    ) -> dict[str, Any]:
        """Run a DAG, and tell the states and tries of its tasks.

        Args:
            dag: Its name.
            variables: What is added to Airflow's environment, where it also finds connections and variables.
            conf: The run's parameters.
            **otherwise: `retries` in place of the DAG's own, with no wait between them.
        """
        assert self.process.stdin is not None
        order = {"dag": dag, "variables": variables, "conf": conf or {}, **otherwise}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(FOUND):
                found: dict[str, Any] = json.loads(line.removeprefix(FOUND))
                return found
            self.log.append(line)
        raise AssertionError("".join(self.log[-50:]))


@contextmanager
def start_airflow(home: Path) -> Iterator[Airflow]:
    """Start an Airflow with a database of its own, and end it with the block."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    }
    with subprocess.Popen(
        [str(ENVIRONMENT / "bin" / "python"), str(DRIVER)],
        cwd=home,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Airflow(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            # A task that hangs takes no notice of SIGTERM.
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()
