"""The programs that are compared: this connector, and what else somebody might write or take."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from measuring import ROOT

PEERS = ROOT / "benchmarks" / "peers"
DEFAULT_LARGEST = 100_000


@dataclass(frozen=True)
class Program:
    """A program that loads the API's rows.

    Attributes:
        name: What the results call it.
        command: How it is started, in a folder of its own.
        largest: The most tickets it is given, lest one program take most of the suite's time.
        syncs: Whether a second run brings what changed.
    """

    name: str
    command: tuple[str, ...]
    largest: int = DEFAULT_LARGEST
    syncs: bool = True

    @property
    def is_installed(self) -> bool:
        """Whether the interpreter of its environment is there; `make peers` makes those of the peers."""
        return Path(self.command[0]).exists()


def pipeline(script: str, *options: str) -> tuple[str, ...]:
    """The command of one of this connector's pipelines."""
    return (sys.executable, str(ROOT / "pipelines" / f"{script}.py"), "--quiet", *options)


def _peer(script: str, *options: str, venv: str | None = None) -> tuple[str, ...]:
    python = sys.executable if venv is None else str(ROOT / venv / "bin" / "python")
    return (python, str(PEERS / script), *options)


CONNECTOR = Program("this connector", pipeline("cogny_to_duckdb"))
BARE = Program("bare download", _peer("bare.py"), syncs=False)
FLOOR = Program("floor, by hand", _peer("floor.py"))
EVERYBODY = (BARE, FLOOR, CONNECTOR)
