"""The version that each Delta table had after the last load, by which one that was set back since is found."""

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
    """A file beside the tables.

    Args:
        filesystem: The file system.
        folder: The folder of the tables, with a slash at its end.
        write: Writes JSON into a file in one step.
    """

    def __init__(self, filesystem: AbstractFileSystem, folder: str, write: Callable[[str, Any], None]) -> None:
        self._filesystem = filesystem
        self._path = f"{folder}{FILE}"
        self._write = write

    def read(self) -> dict[str, int]:
        """Table name to version; none where that was never noted, or cannot be read."""
        try:
            found = json.loads(self._filesystem.read_text(self._path))
            return {str(name): int(version) for name, version in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            logger.debug("%s cannot be read: %s", self._path, error)
            return {}

    def write(self, versions: dict[str, int]) -> None:
        """Note versions."""
        self._write(self._path, versions)


def is_set_back(table: DeltaTable, noted: int | None) -> bool:
    """Whether a table was set back since a version of it was noted: restored, or its log is that of an earlier time.

    Args:
        table: The table, opened at its newest version.
        noted: The version; None where none was noted.
    """
    now = table.version()
    if noted is None or now == noted:
        return False
    return now < noted or any(commit.get("operation") == RESTORED for commit in table.history(now - noted))
