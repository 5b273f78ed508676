"""The version of each Delta table after the last load, to detect a table that was set back since."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from deltalake import DeltaTable
from dlt.common import json
from fsspec import AbstractFileSystem

logger = logging.getLogger(__name__)

FILE = ".delta_versions.json"
RESTORED = "RESTORE"


class Versions:
    """The file with the versions, beside the tables.

    Args:
        filesystem: The file system.
        folder: The folder of the tables, with a slash at its end.
        write: Writes JSON into a file atomically.
    """

    def __init__(self, filesystem: AbstractFileSystem, folder: str, write: Callable[[str, Any], None]) -> None:
        self._filesystem = filesystem
        self._path = f"{folder}{FILE}"
        self._write = write

    def read(self) -> dict[str, int]:
        """Table name to version; empty if the file does not exist or cannot be read."""
        try:
            versions = json.loads(self._filesystem.read_text(self._path))
            return {str(name): int(version) for name, version in versions.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            logger.debug("%s cannot be read: %s", self._path, error)
            return {}

    def write(self, versions: dict[str, int]) -> None:
        """Store the versions of all tables."""
        self._write(self._path, versions)


def is_set_back(table: DeltaTable, stored: int | None) -> bool:
    """Whether a table was set back since its version was stored: by RESTORE, or by an older copy of its log.

    Args:
        table: The table, opened at its newest version.
        stored: The stored version; None if there is none.
    """
    now = table.version()
    if stored is None or now == stored:
        return False
    return now < stored or any(commit.get("operation") == RESTORED for commit in table.history(now - stored))
