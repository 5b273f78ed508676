"""The API of the benchmarks: a sandbox in a process of its own, and what it tells of the requests it served."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

REPORTS = 2_000
WAREHOUSES = 12


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that listens.

    Attributes:
        base_url: Of the API.
        tickets: How many it was born with.
    """

    base_url: str
    tickets: int

    def change(self, created: int, changed: int) -> None:
        """Move its world on by a second in which rows appear and change."""
        self._ask("advance", {"seconds": 1, "created": created, "changed": changed})

    def requests(self) -> list[dict[str, Any]]:
        """The requests that it answered, oldest first: `time`, `path`, `params` and `status` of each."""
        told: list[dict[str, Any]] = self._ask("requests")
        return told

    def count(self, resource: str) -> int:
        """How many rows it has."""
        return int(self._ask("health")["rows"][resource])

    def _ask(self, route: str, order: dict[str, Any] | None = None) -> Any:
        url = self.base_url.replace("/v1", f"/_sandbox/{route}")
        body = None if order is None else json.dumps(order).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
            return json.load(answer)


@contextmanager
def run_sandbox(tickets: int, *options: str, reports: int = REPORTS) -> Iterator[Sandbox]:
    """Start a sandbox, and end it with the block.

    Args:
        tickets: How many it has.
        *options: Of `python -m cogny_source.sandbox`.
        reports: How many it has.
    """
    command = [sys.executable, "-m", "cogny_source.sandbox", "--exit-with-parent", "--tickets", str(tickets)]
    command += ["--reports", str(reports), "--warehouses", str(WAREHOUSES), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Sandbox(process.stdout.readline().split()[0], tickets)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
