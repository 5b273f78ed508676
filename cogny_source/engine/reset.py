"""Resets the state of a resource, so that the next sync reads all of it again."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dlt
import pyarrow as pa

from cogny_source.destinations.registry import open_session
from cogny_source.engine.losses import forget_state
from cogny_source.engine.run_record import ResourceRun, build_rows
from cogny_source.engine.state_store import StateStore, restore_states
from cogny_source.engine.working_dir import hold_lock
from cogny_source.errors import ConfigError
from cogny_source.extract.content_rows import CONTENTS
from cogny_source.extract.content_state import ContentScope
from cogny_source.extract.endpoints import select_resources
from cogny_source.extract.state import State
from cogny_source.reconcile.content_backlog import ContentTables
from cogny_source.records.chunk import Chunk
from cogny_source.records.columns import arrow_schema
from cogny_source.records.package import Package
from cogny_source.schema import SYNC_RUNS

NOTHING_THERE = "nothing was synced there yet"


@dataclass(frozen=True)
class Known:
    """What the destination knows of a resource.

    Attributes:
        rows: Rows of its table, including those marked deleted.
        updated_after: The watermark in the state; None if there is none.
        backfill_windows: The number of windows left of the first load.
        digests: The number of row digests in the state of a full table.
        start_date: The instant before which rows are left out; None for all rows.
        contents: The contents that the next runs fetch after a reset of them; None for other resources.
    """

    rows: int
    updated_after: str | None
    backfill_windows: int
    digests: int
    start_date: str | None = None
    contents: int | None = None


class Reset:
    """Resets the state of a resource; its rows stay until newer ones replace them.

    Args:
        pipeline: The pipeline, with its destination.
        resource: The resource.
        wait_seconds: How long to wait for a database that another process has locked.

    Raises:
        ConfigError: If the resource is unknown.
    """

    def __init__(self, pipeline: dlt.Pipeline, resource: str, wait_seconds: float) -> None:
        [self._name] = [resource] if resource == CONTENTS else select_resources([resource])
        self._pipeline = pipeline
        self._destination = open_session(pipeline, wait_seconds)
        self._loader = self._destination.adapter.make_loader(self._destination)
        restore = partial(restore_states, self._destination, self._loader)
        self._state_store = StateStore(self._destination, [self._name], restore)

    def look(self) -> Known:
        """Read what a reset would forget.

        Raises:
            AlreadyRunning: If a run works on the pipeline.
            ConfigError: If nothing was synced there.
        """
        with self._lock():
            self._state_store.open()
            if not self._state_store.states:
                raise ConfigError(NOTHING_THERE)
            state = self._state_store.states.get(self._name, {})
            counts = self._destination.query_or_empty(f"SELECT count(*) FROM {self._name}")
            contents = self._count_contents(state) if self._name == CONTENTS else None
        return Known(
            counts[0][0] if counts else 0,
            state.get("updated_after"),
            len(state.get("backfill", {}).get("windows", [])),
            len(state.get("digests", {})),
            state.get("start_date"),
            contents,
        )

    def forget(self) -> None:
        """Commit an empty state, and a row in `sync_runs` about the reset.

        Raises:
            AlreadyRunning: If a run works on the pipeline.
            LoadFailed: If the destination refuses the load.
        """
        now = datetime.now(UTC)
        with self._lock(), self._destination.connect():
            self._state_store.open()
            state = self._state_store.states.get(self._name, {})
            run = ResourceRun(self._name, "reset", now, updated_after_before=state.get("updated_after"))
            run.finish("done", now)
            run_id = str(uuid.uuid4())
            record = pa.Table.from_pylist(build_rows(run_id, [run]), schema=arrow_schema(SYNC_RUNS.columns))
            # The origin stays, as the dataset must still refuse rows of another API, and so does the start date.
            chunks = {self._name: Chunk(state=self._forget(state))}
            self._state_store.lower_to_other_writers(chunks)
            package = Package(chunks, self._state_store.next_token(run_id), record, history=False)
            self._loader.load(package)

    def _forget(self, state: State) -> State:
        return forget_state(self._name, state, self._destination, rows_are_lost=False)

    def _count_contents(self, state: State) -> int:
        """How many contents the next runs fetch once they are reset."""
        scope = ContentScope.of(self._forget(state))
        return ContentTables(self._destination).find_backlog(scope, datetime.now(UTC), 1).total

    def _lock(self) -> AbstractContextManager[None]:
        return hold_lock(Path(self._pipeline.pipelines_dir), self._pipeline.pipeline_name)
