"""Targets: what the command line knows of a destination before it makes the pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogny_source.errors import CognyError, ConfigError

DATASET_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Target:
    """The place into which a pipeline loads.

    Attributes:
        make: Makes the dlt destination.
        dataset: The dataset's name.
        identity: A text that differs from that of every other target; each identity has its own working directory.
        probe: Tries what a sync needs of the destination, and yields a line for each operation that works.
        world: The file in which the embedded sandbox stores its data; None for one in the working directory.
        make_staging: Makes dlt's staging destination, if files are loaded through a bucket.
        explain: Returns the error to raise for a failure, or None if the target does not know it.
        make_reader: Makes a read-only destination that needs fewer permissions; None to use `make`.
        is_there: Whether something may have been loaded. Check first: reading a missing place would create it.
        prepare: Called under the lock of the working directory before anything is loaded.
        arguments: The command line's arguments that name the target, such as `duckdb --database growth.duckdb`.
    """

    make: Callable[[], Any]
    dataset: str
    identity: str
    probe: Callable[[], Iterator[str]]
    world: Path | None = None
    make_staging: Callable[[], Any] | None = None
    explain: Callable[[BaseException], CognyError | None] | None = None
    make_reader: Callable[[], Any] | None = None
    is_there: Callable[[], bool] = lambda: True
    prepare: Callable[[], None] = lambda: None
    arguments: tuple[str, ...] = ()


def check_dataset(name: str, option: str = "--dataset") -> None:
    """Refuse a dataset name that some destination does not accept unchanged.

    Args:
        name: The name.
        option: The option that gives it.

    Raises:
        ConfigError: If it does not begin with a letter, or has other than lowercase letters, digits and underscores.
    """
    if not DATASET_NAME.fullmatch(name):
        raise ConfigError(f"{option} is {name!r}; use lowercase letters, digits and _, and begin with a letter")


def check_text(option: str, path: str) -> None:
    """Refuse a path that is not UTF-8, which DuckDB, Arrow and dlt need.

    Raises:
        ConfigError: If its name is in another encoding, or the locale supports only ASCII.
    """
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{option} {path!a} is not UTF-8 as this process reads it: set LC_ALL=C.UTF-8, or rename it"
        ) from error


def list_causes(error: BaseException) -> list[BaseException]:
    """An error and its causes, the innermost first."""
    chain: list[BaseException] = []
    todo: list[object] = [error]
    while todo:
        cause = todo.pop()
        if isinstance(cause, BaseException) and cause not in chain:
            chain.append(cause)
            todo += [cause.__context__, cause.__cause__, *cause.args]
    return chain[::-1]
