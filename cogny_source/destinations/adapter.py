"""The port between the connector and a destination; each kind of destination has one adapter."""

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

from cogny_source.destinations.model_store import ModelsPlace, ModelStore
from cogny_source.errors import CognyError, ConfigError
from cogny_source.records.package import Package
from cogny_source.schema import ChildSpec, TableSpec

STATE_IDS = "SELECT _dlt_load_id FROM _dlt_pipeline_state WHERE pipeline_name = %s"
# Table name to the columns that loads have filled.
Columns = Mapping[str, Collection[str]]


class Session(Protocol):
    """The part of `DestinationSession` that a loader uses."""

    pipeline: dlt.Pipeline
    adapter: DestinationAdapter

    def connect(self) -> AbstractContextManager[SqlClientBase[Any]]:
        """Open a connection, or reuse the open one."""

    def reopen(self) -> None:
        """Close the open connection and open it again."""

    def load(self, source: DltSource) -> set[str]:
        """Load a source with dlt; returns the ids of its load packages."""

    def translating_errors(self, load_id: str | None = None) -> AbstractContextManager[None]:
        """Raise a `CognyError` instead of the libraries' errors."""


class PackageLoader(Protocol):
    """Loads packages; each method raises `LoadFailed` if the destination refuses."""

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads."""

    def load_states(self, package: Package) -> None:
        """Commit a package that has only states, even if the tables lack columns."""

    def recreate_tables(self, package: Package) -> None:
        """Create the lost tables and columns of a package again, unless the next load does."""


class Writer(Protocol):
    """Turns an Arrow table into items that a dlt resource yields."""

    def __call__(self, table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:
        """The items for a table, with its dlt hints."""


def write_arrow(table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:  # noqa: ARG001
    """Yield the Arrow table itself."""
    yield dlt.mark.with_hints(table, hints, create_table_variant=True)


class DestinationAdapter(ABC):
    """A kind of destination. The defaults fit a SQL database into which dlt loads Parquet files.

    An adapter has no connection: methods that read get the client of the session.
    """

    loader_file_format: ClassVar[TLoaderFileFormat] = "parquet"

    @abstractmethod
    def make_loader(self, session: Session) -> PackageLoader:
        """The loader of packages: `DltLoader`, or one that commits without dlt."""

    @abstractmethod
    def unix_micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""

    def table_hints(self, spec: TableSpec | ChildSpec) -> dict[str, Any]:  # noqa: ARG002
        """Additional dlt hints of a table for this destination, such as partitions."""
        return {}

    def open_writer(self, folder: Path) -> AbstractContextManager[Writer]:  # noqa: ARG002
        """Open the writer that turns tables into items for dlt.

        Args:
            folder: A folder for its files until the block ends.
        """
        return nullcontext(write_arrow)

    def make_lock(self, pipeline: dlt.Pipeline) -> BaseFileLock | None:  # noqa: ARG002
        """The lock for a destination that does not lock itself; None if it needs none."""
        return None

    def is_held(self, error: Exception) -> bool:  # noqa: ARG002
        """Whether an error means that another process has locked the destination, so that waiting helps."""
        return False

    def explain(self, error: BaseException) -> CognyError | None:  # noqa: ARG002
        """The error to raise instead of a library's error; None for the general `LoadFailed`."""
        return None

    def list_states(self, client: SqlClientBase[Any], pipeline_name: str) -> set[str]:
        """The load ids of a pipeline's states in the destination."""
        return {row[0] for row in _fetch(client, STATE_IDS, pipeline_name)}

    def read_states(self, client: SqlClientBase[Any], pipeline_name: str, load_ids: set[str]) -> list[str]:  # noqa: ARG002
        """The states that some load packages committed, in dlt's compressed form, the oldest first."""
        places = ", ".join(["%s"] * len(load_ids))
        query = f"SELECT state FROM _dlt_pipeline_state WHERE _dlt_load_id IN ({places}) ORDER BY _dlt_load_id"
        return [row[0] for row in _fetch(client, query, *load_ids)]

    def find_losses(self, client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:  # noqa: ARG002
        """Find tables that are lost, or have lost columns.

        Args:
            client: An open connection.
            tables: Table name to the columns that loads have filled.

        Returns:
            Table name to a sentence about its loss. Empty for a destination that does not check.
        """
        return {}

    def open_models(self, client: SqlClientBase[Any], place: ModelsPlace) -> AbstractContextManager[ModelStore]:  # noqa: ARG002
        """Open the store of a destination's models.

        Args:
            client: An open connection; for reading alone if the place is.
            place: Where the models are.

        Raises:
            ConfigError: If models cannot be built there.
        """
        raise ConfigError("models cannot be built in this destination: it is none of those of `cogny sync`")


def _fetch(client: SqlClientBase[Any], query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query; none if its table does not exist."""
    try:
        with client.execute_query(query, *values) as cursor:
            return list(cursor.fetchall())
    except DatabaseUndefinedRelation:
        return []
