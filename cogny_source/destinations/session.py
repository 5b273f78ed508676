"""A session with the destination: connection, queries, loads, and one error type for all libraries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import dlt
import duckdb
import pyarrow as pa
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import DltException
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.sql_client import SqlClientBase
from dlt.extract import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed
from filelock import BaseFileLock, Timeout

from cogny_source.destinations.adapter import DestinationAdapter
from cogny_source.destinations.disks import describe_full_disks, list_folders
from cogny_source.destinations.dlt_internals import decompress_state, query_arrow
from cogny_source.destinations.duckdb_engine import INTERRUPTED
from cogny_source.destinations.reader import EVERYTHING, LiveCount
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.schema import LOAD_ID, TOMBSTONE, ChildSpec, TableSpec
from cogny_source.windows import Window

logger = logging.getLogger(__name__)

BATCH_ROWS = 10_000
# Each key is a parameter of the query.
KEYS_A_QUERY = 500
RETRY_SECONDS = 1.0
LINE_EVERY_SECONDS = 30.0
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
# The errors of dlt, DuckDB and Arrow, and the built-in errors that they and other libraries raise.
FOREIGN_ERRORS = (duckdb.Error, pa.ArrowException, DltException, OSError, ValueError, LookupError, ImportError)
Opened = TypeVar("Opened")


class DestinationSession:
    """Connects to a pipeline's destination, queries it and loads into it.

    Args:
        pipeline: The pipeline.
        adapter: The adapter of its kind of destination.
        wait_seconds: How long to wait for a DuckDB file or a folder that another process has locked.
        sleep: Waits that many seconds; may raise `Stopped`.
    """

    def __init__(
        self,
        pipeline: dlt.Pipeline,
        adapter: DestinationAdapter,
        wait_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.pipeline = pipeline
        self.adapter = adapter
        self._wait_seconds = wait_seconds
        self._sleep = sleep
        self._client: SqlClientBase[Any] | None = None
        # A closed client for reuse: dlt needs about 50 ms to create one.
        self._idle: SqlClientBase[Any] | None = None
        self._knows_schema = True

    @contextmanager
    def connect(self) -> Iterator[SqlClientBase[Any]]:
        """Open a connection, or reuse the open one. It locks a DuckDB file or a local folder until the block ends.

        dlt opens and closes its own connection between the steps of a load. Without this lock, two machines that load
        at once would delete each other's staging tables.

        Raises:
            LoadFailed: If the file stays locked, or cannot be opened.
        """
        if self._client is not None:
            yield self._client
            return
        with self.translating_errors():
            self._client, lock = self._wait_for(self._open)
        try:
            yield self._client
        finally:
            client, self._client = self._client, None
            client.close_connection()
            self._idle = client if self._knows_schema else None
            if lock is not None:
                lock.release()

    def reopen(self) -> None:
        """Close the open connection and open it again; wait if another process opens the file in between.

        Raises:
            LoadFailed: If the file stays locked.
        """
        assert self._client is not None, "not connected"
        self._client.close_connection()
        self._wait_for(self._client.open_connection)

    def load(self, source: DltSource) -> set[str]:
        """Load a source with dlt; returns the ids of its load packages.

        Raises:
            LoadFailed: If the destination refuses the load.
        """
        with self.connect(), self.translating_errors():
            run = self.pipeline.run(source, loader_file_format=self.adapter.loader_file_format)
            load_ids = set(run.loads_ids)
        self.forget_schema()
        return load_ids

    def forget_schema(self) -> None:
        """Create a new client for the next connection: a client knows only the tables that existed at its creation."""
        self._idle, self._knows_schema = None, False

    def query(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query as Python values; its tables must exist.

        Raises:
            LoadFailed: If the destination refuses the query.
        """
        with self.connect() as client, self.translating_errors(), client.execute_query(query) as cursor:
            return list(cursor.fetchall())

    def read_named(self, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns' names and the rows of a query that a person wrote.

        Raises:
            ConfigError: If the destination cannot run it.
            LoadFailed: If the destination does not answer.
        """
        with self.connect() as client:
            try:
                with client.execute_query(query) as cursor:
                    names = [str(column[0]) for column in cursor.native_cursor.description or ()]
                    return names, list(cursor.fetchall())
            except FOREIGN_ERRORS as exc:
                raise ConfigError(f"the query failed: {_find_reason(exc)}") from exc

    def query_or_empty(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query as Python values; none if its table does not exist.

        Raises:
            LoadFailed: If the destination does not answer.
        """
        return [
            row for table in self._query(query) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)
        ]

    def query_if_there(self, query: str) -> list[tuple[Any, ...]] | None:
        """The rows of a query as Python values; None if one of its tables does not exist.

        Raises:
            LoadFailed: If the destination refuses the query.
        """
        with self.connect() as client, self.translating_errors():
            try:
                with client.execute_query(query) as cursor:
                    return list(cursor.fetchall())
            except DatabaseUndefinedRelation:
                return None

    def count_rows(self, spec: TableSpec) -> tuple[int, int]:
        """The number of rows of a resource's table, and of those marked deleted; 0 without the table."""
        deleted = "count(deleted_at)" if spec.marks_deletions else "0"
        counts = self.query_or_empty(f"SELECT count(*) AS held, {deleted} AS deleted FROM {spec.name}")
        return counts[0] if counts else (0, 0)

    def count_live(
        self, spec: TableSpec, start: datetime | None, taken_at: datetime | None, key: str | None = None
    ) -> LiveCount:
        """Count the live rows of a table.

        Args:
            spec: The table.
            start: Rows created before it are left out.
            taken_at: The instant for `LiveCount.settled`; None for no bound.
            key: The row for `LiveCount.updated_at`.
        """
        query = (
            "SELECT count(*), count(CASE WHEN created_at IS NULL OR created_at <= %s THEN 1 END), max(CASE WHEN"
            f" {spec.key} = %s THEN updated_at END), count(*) - count(created_at)"
            f" FROM {spec.name} WHERE deleted_at IS NULL"
        )
        values: list[object] = [taken_at or END_OF_TIME, key or ""]
        if start is not None:
            query += " AND (created_at IS NULL OR created_at >= %s)"
            values.append(start)
        counts = (LiveCount(*(column[0].as_py() for column in table.columns)) for table in self._query(query, *values))
        return next(counts, LiveCount(0, 0, None))

    def read_rows(self, spec: TableSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the rows of a table that were created in a window."""
        names = ", ".join(column.name for column in spec.columns)
        condition, bounds = _created_in(window)
        return self._query(f"SELECT {names} FROM {spec.name} WHERE {condition}", *bounds)

    def read_children(self, spec: TableSpec, child: ChildSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the child rows of the rows created in a window, in the order of their key.

        A window without an end also includes child rows without a parent.
        """
        condition, bounds = _created_in(window)
        roots, key = f"SELECT {spec.key} FROM {spec.name} WHERE", child.root_key
        is_chosen = f"NOT IN ({roots} NOT ({condition}))" if window.end is None else f"IN ({roots} {condition})"
        order = ", ".join(child.primary_key)
        query = f"SELECT {_name_compared(child)} FROM {child.name} WHERE {key} {is_chosen} ORDER BY {order}"
        return self._query(query, *bounds)

    def read_keys(self, spec: TableSpec, keys: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows with some keys."""
        names = ", ".join(column.name for column in spec.columns)
        return self._read_some(f"SELECT {names} FROM {spec.name} WHERE {spec.key}", keys)

    def read_children_of(self, child: ChildSpec, keys: Sequence[str]) -> Iterator[pa.Table]:
        """Read the child rows of the rows with some keys, those of one row together and in order."""
        query = f"SELECT {_name_compared(child)} FROM {child.name} WHERE {child.root_key}"
        return self._read_some(query, keys, f" ORDER BY {', '.join(child.primary_key)}")

    def _read_some(self, query: str, keys: Sequence[str], order: str = "") -> Iterator[pa.Table]:
        for first in range(0, len(keys), KEYS_A_QUERY):
            some = keys[first : first + KEYS_A_QUERY]
            places = ", ".join(["%s"] * len(some))
            yield from self._query(f"{query} IN ({places}){order}", *some)

    def has_columns(self, spec: TableSpec) -> bool:
        """Whether a table exists with every declared column; a table of an earlier version may lack some."""
        return self.read_columns(spec.name) >= {column.name for column in spec.columns}

    def read_columns(self, table: str) -> set[str]:
        """The names of a table's columns; empty if the table does not exist."""
        try:
            with self.connect() as client, client.execute_query(f"SELECT * FROM {table} LIMIT 0") as cursor:
                return {column[0] for column in cursor.native_cursor.description or ()}
        except DatabaseUndefinedRelation:
            return set()

    def read_stamps(self, spec: TableSpec, since: datetime) -> pa.Table | None:
        """Key and `updated_at` of the live rows that changed at an instant or later; None if there are none."""
        query = f"SELECT {spec.key}, updated_at FROM {spec.name} WHERE deleted_at IS NULL AND updated_at >= %s"
        tables = list(self._query(query, since))
        return pa.concat_tables(tables) if any(map(len, tables)) else None

    def state_ids(self) -> set[str]:
        """The load ids of the pipeline's states in the destination."""
        with self.connect() as client, self.translating_errors():
            return self.adapter.list_states(client, self.pipeline.pipeline_name)

    def read_states(self, load_ids: set[str]) -> list[dict[str, Any]]:
        """The states that some load packages committed, each by resource, the oldest package first."""
        with self.connect() as client, self.translating_errors():
            texts = self.adapter.read_states(client, self.pipeline.pipeline_name, load_ids)
        sources = [decompress_state(text).get("sources", {}).get("cogny", {}) for text in texts]
        return [source.get("resources", {}) for source in sources]

    @contextmanager
    def translating_errors(self, load_id: str | None = None) -> Iterator[None]:
        """Raise one error type instead of those of dlt, DuckDB and the disk.

        Args:
            load_id: The id of the load in the block, for errors in which dlt does not name it.

        Raises:
            LoadFailed: Instead of the libraries' errors.
            ConfigError: If that is the cause that dlt has wrapped, or a setting of the destination is missing.
            KeyboardInterrupt: If that is the cause.
        """
        try:
            yield
        except (*FOREIGN_ERRORS, RuntimeError) as exc:
            cause = _find_cause(exc)
            if isinstance(cause, KeyboardInterrupt):  # dlt wraps it; DuckDB raises a RuntimeError from it
                raise cause from exc
            if isinstance(exc, RuntimeError):
                if str(exc) == INTERRUPTED:
                    raise KeyboardInterrupt from exc
                raise
            if isinstance(cause, ConfigError):
                raise cause from exc
            if isinstance(cause, ConfigurationException):
                raise ConfigError(
                    f"dlt lacks a setting of the destination: {_find_reason(exc)}; set it in the environment or in"
                    " .dlt/secrets.toml"
                ) from exc
            explained = self.adapter.explain(cause)
            if explained is not None:
                raise explained from exc
            where = f"pipeline {self.pipeline.pipeline_name} in {self.pipeline.pipelines_dir}"
            load_id = (exc.load_id if isinstance(exc, PipelineStepFailed) else None) or load_id
            package = f"load package {load_id}" if load_id else "a load"
            raise LoadFailed(
                f"the destination refused {package}: {_find_reason(exc)}"
                f"{describe_full_disks(list_folders(self.pipeline))} ({where}). Nothing is lost: fix the cause and run"
                " the same command again"
            ) from exc

    def _query(self, query: str, *values: object) -> Iterator[pa.Table]:
        """Read the rows of a query in batches; none if its table does not exist."""
        try:
            with self.connect() as client:
                yield from query_arrow(client, query, values, BATCH_ROWS)
        except DatabaseUndefinedRelation:
            return
        except FOREIGN_ERRORS as exc:
            raise LoadFailed(f"the destination does not answer: {_find_reason(exc)}") from exc

    def _open(self) -> tuple[SqlClientBase[Any], BaseFileLock | None]:
        """Open a connection, after taking the lock that some destinations need."""
        lock = self.adapter.make_lock(self.pipeline)
        if lock is not None:
            lock.acquire()
        try:
            client = self._idle or self.pipeline.sql_client()
            client.open_connection()
            self._knows_schema = True
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return client, lock

    def _wait_for(self, connect: Callable[[], Opened]) -> Opened:
        """Call `connect`, and retry while another process has locked the destination."""
        waited = 0.0
        while True:
            try:
                return connect()
            except (DltException, Timeout) as exc:
                if not self.adapter.is_held(exc):
                    raise
                reason = _find_reason(exc)
                if waited >= self._wait_seconds:
                    raise LoadFailed(
                        f"another process still holds the database after {waited:.0f} s: {reason}. Nothing is lost:"
                        " close that session and run the same command again"
                    ) from exc
            if waited % LINE_EVERY_SECONDS < RETRY_SECONDS:
                logger.warning("waiting for the database, up to %.0f s: %s", self._wait_seconds - waited, reason)
            self._sleep(RETRY_SECONDS)
            waited += RETRY_SECONDS


def _name_compared(child: ChildSpec) -> str:
    """The columns of a child table without those of the loads."""
    return ", ".join(column.name for column in child.columns if column.name not in (TOMBSTONE, LOAD_ID.name))


def _created_in(window: Window) -> tuple[str, list[datetime]]:
    """The SQL condition for rows created in a window, and its parameters; an open end includes rows without a date."""
    if window.start is None and window.end is None:
        return "1 = 1", []
    bounds = [("created_at >= %s", window.start), ("created_at < %s", window.end)]
    condition = " AND ".join(text for text, bound in bounds if bound is not None)
    dated = "" if window.end is not None else "created_at IS NULL OR "
    return f"({dated}{condition})", [bound for _, bound in bounds if bound is not None]


def _find_cause(exc: BaseException) -> BaseException:
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return exc


def _find_reason(exc: BaseException) -> str:
    """The first line of the innermost cause, without dlt's guesses about credentials around DuckDB's error."""
    exc = _find_cause(exc)
    text = str(exc).strip() or type(exc).__name__
    if isinstance(exc, KeyError):  # its text is only the key
        text = f"{type(exc).__name__}: {text}"
    return text.splitlines()[0].rpartition("The actual reason given is: ")[2]
