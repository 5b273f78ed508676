"""DuckDB and MotherDuck as the connector's destinations."""

from __future__ import annotations

from typing import Any

from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.adapter import Columns, PackageLoader, Session
from cogny_source.destinations.duckdb.loader import DuckDbLoader
from cogny_source.destinations.duckdb_engine import LOCKED, explain_version
from cogny_source.destinations.losses import describe_loss
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.errors import CognyError


class MotherDuckAdapter(SqlAdapter):
    """MotherDuck, into which dlt loads."""

    def unix_micros(self, column: str) -> str:
        """SQL for a column of instants as microseconds since 1970."""
        return f"epoch_us({column})"


class DuckDbAdapter(SqlAdapter):
    """A DuckDB file, into which a package is one transaction."""

    def make_loader(self, session: Session) -> PackageLoader:
        """The loader that commits by itself."""
        return DuckDbLoader(session)

    def unix_micros(self, column: str) -> str:
        """SQL for a column of instants as microseconds since 1970."""
        return f"epoch_us({column})"

    def is_held(self, error: Exception) -> bool:
        """Whether an error says that another process has the file open."""
        return isinstance(error, DestinationConnectionError) and LOCKED in str(error)

    def explain(self, error: BaseException) -> CognyError | None:
        """What to do about a file that a later version of DuckDB made."""
        return explain_version(error)

    def find_losses(self, client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:
        """What tables lack by the database's catalogue: a sentence for each that lacks something."""
        query = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
        there: dict[str, set[str]] = {}
        rows = client.native_connection.execute(f"{query} AND schema_name = ?", [client.dataset_name]).fetchall()
        for table, column in rows:
            there.setdefault(table, set()).add(column)
        losses = {table: describe_loss(table, columns, there.get(table)) for table, columns in tables.items()}
        return {table: sentence for table, sentence in losses.items() if sentence}
