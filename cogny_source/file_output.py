"""A file that a person named, written in one step."""

from __future__ import annotations

import os
from pathlib import Path

from cogny_source.errors import ConfigError

# Stands for standard output where a file is named.
STDOUT = Path("-")


def check_place(out: Path) -> None:
    """Refuse an impossible path, before the work whose result is to be written.

    Raises:
        ConfigError: If no file can be written there.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"the folder {out.parent} is not there: make it, or name another with --out")
    if out.is_dir():
        raise ConfigError(f"{out} is a folder: name a file with --out")
    if out.exists() and not out.is_file():
        raise ConfigError(
            f"{out} is a device or a pipe, which the file would take the place of: name a file with --out"
        )


def write_whole(out: Path, content: bytes) -> None:
    """Write a file in one step: readers see either the old one or the complete new one.

    Raises:
        ConfigError: If it cannot be written; an old one stays then.
    """
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(out)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from error
