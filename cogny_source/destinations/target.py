"""A target: what the command line knows of a destination before the pipeline is made."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogny_source.errors import CognyError, ConfigError

DATASET_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Target:
    """Where a pipeline loads.

    Attributes:
        make: Makes the dlt destination.
        make_reader: Makes one that only reads, where that takes less than to write; None where `make` does for both.
        dataset: The dataset's name.
        identity: What tells it from every other target; it has a working directory of its own.
        world: Where the embedded sandbox remembers its world; None for the working directory.
        show: The command that shows the tables.
        make_staging: Makes dlt's staging, where files travel through a bucket.
        explain: Tells what a failure means, where the target knows better than the engine.
        probe: Tries what a sync needs of the destination, and yields a line for each thing that works.
        prepare: Called under the lock of the working directory before anything is loaded.
        is_there: Whether something may have been loaded; to look at what is not there would make it.
    """

    make: Callable[[], Any]
    dataset: str
    identity: str
    show: str
    probe: Callable[[], Iterator[str]]
    world: Path | None = None
    make_staging: Callable[[], Any] | None = None
    explain: Callable[[BaseException], CognyError | None] | None = None
    make_reader: Callable[[], Any] | None = None
    is_there: Callable[[], bool] = lambda: True
    prepare: Callable[[], None] = lambda: None


def check_dataset(name: str) -> None:
    """Refuse a dataset's name that not every destination takes as it is.

    Raises:
        ConfigError: If it holds other than small letters, digits and underscores.
    """
    if not DATASET_NAME.fullmatch(name):
        raise ConfigError(f"--dataset is {name!r}; use small letters, digits and _, a letter first")


def check_text(option: str, path: str) -> None:
    """Refuse a path that is no text in UTF-8, which DuckDB, Arrow and dlt need.

    Raises:
        ConfigError: If it is not: its name is in another encoding, or the locale knows none beyond ASCII.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{option} {path!a} is no UTF-8 as this process reads it: set LC_ALL=C.UTF-8, or rename it"
        ) from error


def list_causes(error: BaseException) -> list[BaseException]:
    """An error and what caused it, the innermost first."""
    chain: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and cause not in chain:
            chain.append(cause)
            todo += [cause.__context__, cause.__cause__, *cause.args]
    return chain[::-1]


def show_python() -> str:
    """The Python that has the connector, as a person would type it here."""
    relative = os.path.relpath(sys.executable)
    return sys.executable if relative.startswith("..") else relative
