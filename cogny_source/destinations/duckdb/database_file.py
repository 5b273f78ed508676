"""Checks of a DuckDB file by its path and first bytes, without DuckDB."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from cogny_source.errors import ConfigError

logger = logging.getLogger(__name__)

MAGIC, MAGIC_AT = b"DUCK", slice(8, 12)
# DuckDB writes three headers first; a shorter file has no data.
HEADERS_BYTES = 3 * 4096


def holds_database(path: Path) -> bool:
    """Whether a file holds a DuckDB database; False if it does not exist or is incomplete.

    Raises:
        ConfigError: If it holds something else.
    """
    if not os.path.exists(path):  # also False without permission for the folder
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(MAGIC_AT.stop)
    except OSError:  # opening it with DuckDB reports the error
        return True
    if beginning and beginning[MAGIC_AT] != MAGIC:
        raise ConfigError(f"--database {path} is not a DuckDB database: name another file")
    return path.stat().st_size >= HEADERS_BYTES


def check_kind(path: Path) -> None:
    """Refuse a path that is not a file or not readable. Opening a pipe would wait for ever.

    Raises:
        ConfigError: If it is such a path.
    """
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise ConfigError(f"--database {path} is not a file: name a file")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"--database {path} cannot be read: this user has no permission")


def remove_stub(database: Path) -> None:
    """Remove an incomplete database file: DuckDB was killed or the disk was full, and it would never open the file.

    A file without all three headers, or an empty one, holds no data. A file that another process is creating is locked,
    and is not removed.
    """
    if os.name != "posix" or not database.is_file() or database.stat().st_size >= HEADERS_BYTES:
        return
    from fcntl import LOCK_EX, LOCK_NB, lockf

    try:
        with database.open("r+b") as file:
            lockf(file, LOCK_EX | LOCK_NB)
            beginning = file.read(HEADERS_BYTES)
            if not beginning or beginning[MAGIC_AT] == MAGIC:
                logger.warning("%s is an incomplete database file without data; it is created again", database)
                database.resolve().unlink()
    except OSError:  # opening it with DuckDB reports the error
        return
