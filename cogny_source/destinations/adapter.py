"""The port: what the connector asks of a destination; one adapter for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Protocol

import dlt
import pyarrow as pa
from dlt.common.typing import TLoaderFileFormat
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.sql_client import SqlClientBase
from dlt.extract import DltSource
from filelock import BaseFileLock

from cogny_source.errors import CognyError
from cogny_source.records.package import Package
from cogny_source.schema import ChildSpec, TableSpec

STATE_IDS = "SELECT _dlt_load_id FROM _dlt_pipeline_state WHERE pipeline_name = %s"
# Table name to the columns that loads have brought into it.
Columns = Mapping[str, Collection[str]]


class Session(Protocol):
    """What a loader needs of a destination that is open; `DestinationSession` is it."""

    pipeline: dlt.Pipeline
    adapter: DestinationAdapter

    def hold(self) -> AbstractContextManager[SqlClientBase[Any]]:
        """A connection."""

    def reopen(self) -> None:
        """Close the connection that is held, and open it again."""

    def load(self, source: DltSource) -> set[str]:
        """Load a source dlt's way; returns the ids of its load packages."""

    def translating_errors(self, load_id: str | None = None) -> AbstractContextManager[None]:
        """Turn errors of the libraries into `CognyError`."""


class PackageLoader(Protocol):
    """Loads packages; each method raises `LoadFailed` where the destination refuses."""

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads."""

    def load_states(self, package: Package) -> None:
        """Commit a package that holds states alone, into tables that may lack columns."""

    def remake_tables(self, package: Package) -> None:
        """Make the tables of a package anew where the destination has lost them, if the next load would not."""


class Writer(Protocol):
    """Turns a table into what dlt extracts."""

    def __call__(self, table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:
        """The items to yield for a table under its hints."""


def write_arrow(table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:  # noqa: ARG001
    """Give dlt the Arrow table itself."""
    yield dlt.mark.with_hints(table, hints, create_table_variant=True)


class DestinationAdapter(ABC):
    """A kind of destination. The defaults are right for a SQL database into which dlt loads Parquet files.

    An adapter holds no connection: methods that read get the client of the session.
    """

    loader_file_format: ClassVar[TLoaderFileFormat] = "parquet"

    @abstractmethod
    def make_loader(self, session: Session) -> PackageLoader:
        """What loads packages: `DltLoader`, or one that commits by itself."""

    @abstractmethod
    def unix_micros(self, column: str) -> str:
        """SQL for a column of instants as microseconds since 1970."""

    def table_hints(self, spec: TableSpec | ChildSpec) -> dict[str, Any]:  # noqa: ARG002
        """Dlt's hints of a table that only this destination knows, such as partitions."""
        return {}

    def open_writer(self, folder: Path) -> AbstractContextManager[Writer]:  # noqa: ARG002
        """What turns tables into items for dlt.

        Args:
            folder: Where it may keep files until the block ends.
        """
        return nullcontext(write_arrow)

    def make_lock(self, pipeline: dlt.Pipeline) -> BaseFileLock | None:  # noqa: ARG002
        """The lock of a destination that does not lock itself; None for none."""
        return None

    def is_held(self, error: Exception) -> bool:  # noqa: ARG002
        """Whether an error says that another process holds the destination, so that waiting helps."""
        return False

    def explain(self, error: BaseException) -> CognyError | None:  # noqa: ARG002
        """The error to raise instead of one of the destination's libraries; None for a failed load."""
        return None

    def list_states(self, client: SqlClientBase[Any], pipeline_name: str) -> set[str]:
        """The load ids of the states that are kept of a pipeline."""
        return {row[0] for row in _fetch(client, STATE_IDS, pipeline_name)}

    def read_states(self, client: SqlClientBase[Any], pipeline_name: str, load_ids: set[str]) -> list[str]:  # noqa: ARG002
        """The states, as dlt compresses them, that some load packages committed, the oldest first."""
        places = ", ".join(["%s"] * len(load_ids))
        query = f"SELECT state FROM _dlt_pipeline_state WHERE _dlt_load_id IN ({places}) ORDER BY _dlt_load_id"
        return [row[0] for row in _fetch(client, query, *load_ids)]

    def find_losses(self, client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:  # noqa: ARG002
        """What tables lack of what was loaded: a sentence for each that lacks something.

        A destination that does not look for it finds nothing.
        """
        return {}


def _fetch(client: SqlClientBase[Any], query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query; none where its table is not there."""
    try:
        with client.execute_query(query, *values) as cursor:
            return list(cursor.fetchall())
    except DatabaseUndefinedRelation:
        return []
