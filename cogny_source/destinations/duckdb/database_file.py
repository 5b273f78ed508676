"""A DuckDB file from outside: what it is, by its name and first bytes, without DuckDB."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from cogny_source.errors import ConfigError

logger = logging.getLogger(__name__)

MAGIC, MAGIC_AT = b"DUCK", slice(8, 12)
# A file of which DuckDB wrote less holds nothing.
HEADERS_BYTES = 3 * 4096


def holds_database(path: Path) -> bool:
    """Whether a file holds a DuckDB database; not where there is none, or only its beginning.

    Raises:
        ConfigError: If it holds something else.
    """
    if not os.path.exists(path):  # false, too, where nobody may look
        return False
    try:
        with path.open("rb") as file:
            beginning = file.read(MAGIC_AT.stop)
    except OSError:  # DuckDB tells what is wrong with it
        return True
    if beginning and beginning[MAGIC_AT] != MAGIC:
        raise ConfigError(f"--database {path} is no DuckDB database: name another file")
    return path.stat().st_size >= HEADERS_BYTES


def check_kind(path: Path) -> None:
    """Refuse a path that is not a file, as opening a pipe would wait for ever, or that this user may not read.

    Raises:
        ConfigError: If it is such a path.
    """
    if not os.path.exists(path):
        return
    if not os.path.isfile(path):
        raise ConfigError(f"--database {path} is no file: name a file")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"--database {path} may not be read by this user")


def remove_stub(database: Path) -> None:
    """Remove a file of which DuckDB wrote only the beginning, killed or on a full disk: it would refuse it ever after.

    Before its three headers are there, and in an empty file, is nothing. One that another process is just making is
    locked, and stays.
    """
    if os.name != "posix" or not database.is_file() or database.stat().st_size >= HEADERS_BYTES:
        return
    from fcntl import LOCK_EX, LOCK_NB, lockf

    try:
        with database.open("r+b") as file:
            lockf(file, LOCK_EX | LOCK_NB)
            beginning = file.read(HEADERS_BYTES)
            if not beginning or beginning[MAGIC_AT] == MAGIC:
                logger.warning("%s is no more than the beginning of a database, and is made anew", database)
                database.resolve().unlink()
    except OSError:  # DuckDB will say what is wrong with it
        return
