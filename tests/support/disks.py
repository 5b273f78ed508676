"""A disk that is full, as far as Python is told."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

Usage = namedtuple("Usage", "total used free")


def fill(monkeypatch: pytest.MonkeyPatch, full: Path) -> None:
    """Let the disk of a folder, and of what is below it, have 40 KB left."""

    def measure(place: Path) -> Usage:
        free = 40_000 if Path(place).is_relative_to(full) else 2**40
        return Usage(2**41, 2**41 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", measure)
