"""The adapters for DuckDB and MotherDuck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.adapter import Columns, PackageLoader, Session
from cogny_source.destinations.duckdb.loader import DuckDbLoader
from cogny_source.destinations.duckdb_engine import LOCKED, explain_version
from cogny_source.destinations.duckdb_models import DuckDbModelStore
from cogny_source.destinations.losses import describe_loss
from cogny_source.destinations.model_store import ModelsPlace, ModelStore
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.errors import CognyError, ConfigError


class MotherDuckAdapter(SqlAdapter):
    """MotherDuck; dlt loads into it."""

    def unix_micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""
        return f"epoch_us({column})"


class DuckDbAdapter(SqlAdapter):
    """A DuckDB file; each package is committed in one transaction."""

    def make_loader(self, session: Session) -> PackageLoader:
        """The loader that commits without dlt."""
        return DuckDbLoader(session)

    def unix_micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""
        return f"epoch_us({column})"

    def is_held(self, error: Exception) -> bool:
        """Whether an error means that another process has the file open."""
        return isinstance(error, DestinationConnectionError) and LOCKED in str(error)

    def explain(self, error: BaseException) -> CognyError | None:
        """The error for a file of a newer DuckDB; None for other errors."""
        return explain_version(error)

    @contextmanager
    def open_models(self, client: SqlClientBase[Any], place: ModelsPlace) -> Iterator[ModelStore]:
        """The models in a schema of the same file."""
        if place.database is not None:
            raise ConfigError("--models-database is for a folder: a DuckDB file holds its models itself")
        connection = client.native_connection
        [(database,)] = connection.execute("SELECT current_database()").fetchall()
        yield DuckDbModelStore(connection, (database, client.dataset_name), (database, place.dataset))

    def find_losses(self, client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:
        """Find tables and columns that are missing in the database's catalogue; table name to a sentence about it."""
        query = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
        present: dict[str, set[str]] = {}
        rows = client.native_connection.execute(f"{query} AND schema_name = ?", [client.dataset_name]).fetchall()
        for table, column in rows:
            present.setdefault(table, set()).add(column)
        losses = {table: describe_loss(table, columns, present.get(table)) for table, columns in tables.items()}
        return {table: sentence for table, sentence in losses.items() if sentence}
