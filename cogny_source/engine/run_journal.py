"""The journal: records of runs on disk, until they are loaded into `sync_runs`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.engine.run_record import ResourceRun, build_rows
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import SYNC_RUNS
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)

KILLED = "the process ended without an error message, as after a kill or a power cut"
SCHEMA = arrow_schema(SYNC_RUNS.columns)
TIMESTAMPS = [column.name for column in SYNC_RUNS.columns if column.type == "timestamp"]


class Journal:
    """One file per run. A killed run leaves its file, which the next run loads.

    Args:
        folder: The folder of the files, beside the working directory.
        run_id: The current run.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._run_id = run_id
        self._loaded: list[Path] = []

    def write(self, runs: Sequence[ResourceRun]) -> None:
        """Write the record of the run so far. An unfinished resource is written as killed, until the next write.

        A full disk does not stop the run here; the load reports it.
        """
        rows = build_rows(self._run_id, runs)
        for row in rows:
            if row["status"] == "running":
                row |= {"status": "killed", "error": KILLED}
        path = self._folder / f"{self._run_id}.json"
        draft = path.with_suffix(".draft")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(orjson.dumps(rows))
            draft.replace(path)
        except OSError as error:
            logger.warning("the record of this run cannot be written to the disk: %s", error)

    def read_table(self) -> pa.Table:
        """The rows of all runs that are not in `sync_runs` yet, including the current run."""
        rows: list[dict[str, Any]] = []
        self._loaded = sorted(self._folder.glob("*.json"))
        for path in self._loaded:
            try:
                rows.extend(_read_rows(path))
            except (ValueError, LookupError, TypeError, OSError) as error:
                logger.warning("the record of an earlier run cannot be read: %s (%s)", path, type(error).__name__)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def discard(self) -> None:
        """Delete the record of the current run."""
        (self._folder / f"{self._run_id}.json").unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete the records that `read_table` returned; call it once they are loaded."""
        for path in self._loaded:
            path.unlink(missing_ok=True)
        self._loaded = []


def _read_rows(path: Path) -> list[dict[str, Any]]:
    rows = orjson.loads(path.read_bytes())
    for row in rows:
        row |= {name: parse_instant(row.get(name)) for name in TIMESTAMPS}
    checked: list[dict[str, Any]] = pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()
    return checked
