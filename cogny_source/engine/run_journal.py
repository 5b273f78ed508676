"""The journal: what runs did, kept on disk until `sync_runs` holds it."""

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

KILLED = "the process ended without a word, as after a kill or a power cut"
SCHEMA = arrow_schema(SYNC_RUNS.columns)
TIMESTAMPS = [column.name for column in SYNC_RUNS.columns if column.type == "timestamp"]


class Journal:
    """One file a run, in a folder of the working directory's; a run that is killed leaves its file behind.

    Args:
        folder: Where the files are.
        run_id: The present run.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._run_id = run_id
        self._loaded: list[Path] = []

    def write(self, runs: Sequence[ResourceRun]) -> None:
        """Keep what the run did so far; a resource that is not done counts as killed until it is written again.

        A disk that takes no more is no reason to stop here: the load will tell.
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
            logger.warning("the run's record cannot be kept on disk: %s", error)

    def read_table(self) -> pa.Table:
        """The rows of all runs that `sync_runs` does not hold yet, the present one's among them."""
        rows: list[dict[str, Any]] = []
        self._loaded = sorted(self._folder.glob("*.json"))
        for path in self._loaded:
            try:
                rows.extend(_read_rows(path))
            except (ValueError, LookupError, TypeError, OSError) as error:
                logger.warning("the record of an earlier run cannot be read: %s (%s)", path, type(error).__name__)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def discard(self) -> None:
        """Let go of the present run's record."""
        (self._folder / f"{self._run_id}.json").unlink(missing_ok=True)

    def clear(self) -> None:
        """Let go of what `read_table` gave, now that it is loaded."""
        for path in self._loaded:
            path.unlink(missing_ok=True)
        self._loaded = []


def _read_rows(path: Path) -> list[dict[str, Any]]:
    rows = orjson.loads(path.read_bytes())
    for row in rows:
        row |= {name: parse_instant(row.get(name)) for name in TIMESTAMPS}
    checked: list[dict[str, Any]] = pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()
    return checked
