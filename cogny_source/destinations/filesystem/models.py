"""Models of a folder, in a DuckDB file that holds a copy of what they read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dlt.destinations.exceptions import DatabaseUndefinedRelation

from cogny_source.destinations.duckdb_engine import LOCKED, explain_version
from cogny_source.destinations.duckdb_models import DuckDbModelStore
from cogny_source.destinations.filesystem.dlt_client import LakeSqlClient
from cogny_source.destinations.model_store import ModelsPlace, ModelStore
from cogny_source.errors import ConfigError, LoadFailed

MEMORY = "memory"
# DuckDB's own databases.
RESERVED = (MEMORY, "system", "temp")
DEFAULT_DATABASE = Path("cogny_models.duckdb")


class FolderModelStore(DuckDbModelStore):
    """Reads the tables of a folder, and builds all models as tables: a view would not find the folder's files.

    Args:
        client: The client of the folder.
        database: The name under which the file is attached.
        schema: The schema of the models.
    """

    def __init__(self, client: LakeSqlClient, database: str, schema: str) -> None:
        source = (MEMORY, client.dataset_name)
        super().__init__(client.native_connection, source, (database, schema), keeps_views=False)
        self._client = client

    def list_loaded(self, tables: Iterable[str]) -> frozenset[str]:
        """Those of some tables that the folder holds; dlt makes a view for each that is asked."""
        return frozenset(table for table in tables if self._makes_view(table))

    def _makes_view(self, table: str) -> bool:
        try:
            with self._client.execute_query(f"SELECT 1 FROM {table} LIMIT 0"):
                return True
        except DatabaseUndefinedRelation:
            return False


@contextmanager
def open_folder_models(client: LakeSqlClient, place: ModelsPlace) -> Iterator[ModelStore]:
    """Open the store of a folder's models.

    Raises:
        ConfigError: If the file is not there to be read, or of a newer DuckDB.
        LoadFailed: If the file cannot be opened.
    """
    database = place.database or DEFAULT_DATABASE
    if place.is_read_only and not database.is_file():
        raise ConfigError(f"{database} is not there: `cogny models build` makes it")
    connection = client.native_connection
    with tempfile.TemporaryDirectory(prefix="cogny-") as spill:
        connection.execute("SET temp_directory = ?", [spill])
        name = _name_database(database)
        _attach(connection, database, name, is_read_only=place.is_read_only)
        try:
            yield FolderModelStore(client, name, place.dataset)
        finally:
            connection.execute(f'DETACH "{name}"')


def _name_database(path: Path) -> str:
    """The name that DuckDB gives a file where it is opened alone, so that a query that is shown runs there."""
    name = path.name.partition(".")[0].replace('"', "")
    return name if name and name.lower() not in RESERVED else f"{name}_models"


def _attach(connection: duckdb.DuckDBPyConnection, database: Path, name: str, *, is_read_only: bool) -> None:
    path = str(database).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{path}' AS \"{name}\"{' (READ_ONLY)' if is_read_only else ''}")
    except duckdb.Error as error:
        told = explain_version(error)
        if told is not None:
            raise told from error
        reason = "another process has it open" if LOCKED in str(error) else str(error).splitlines()[0]
        raise LoadFailed(f"{database} cannot be opened for the models: {reason}") from error
