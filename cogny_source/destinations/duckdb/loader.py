"""Loads packages into DuckDB in one transaction each; dlt creates missing tables first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.adapter import Session
from cogny_source.destinations.dlt_internals import DuckDbSqlClient, create_load_id
from cogny_source.destinations.dlt_schema import SCHEMA_NAME, restored_schema
from cogny_source.destinations.duckdb.comments import write_comments
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.duckdb.declared_schema import (
    SchemaVersion,
    find_schema,
    forget_version,
    list_specs,
    repair_dlt_tables,
)
from cogny_source.destinations.loader import DltLoader
from cogny_source.records.package import Package

# dlt compares ids as texts: epoch seconds with up to seven decimals.
TICK = Decimal("0.000001")


class DuckDbLoader:
    """Loads packages into a DuckDB file.

    Args:
        session: The session with the file.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._by_dlt = DltLoader(session)
        self._schema: SchemaVersion | None = None
        self._checked: set[str] = set()

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the database refuses the package.
        """
        load_ids: set[str] = set()
        with self._session.connect() as client:
            # Checked once per resource: dlt reads its schema from a file each time.
            if not package.chunks.keys() <= self._checked:
                load_ids = self._create_tables(package, client)
                write_comments(client.native_connection, client.dataset_name, list_specs(package))
            if self._schema is None:
                return load_ids | self._by_dlt.load(package)
            return load_ids | {self._commit(package, client, self._schema)}

    def load_states(self, package: Package) -> None:
        """Commit a package that has only states, even if the connector's tables lack columns.

        Raises:
            LoadFailed: If the database refuses the package.
        """
        schema = restored_schema(self._session.pipeline)
        with self._session.connect() as client:
            self._commit(package, client, SchemaVersion(SCHEMA_NAME, "" if schema is None else schema.version_hash))

    def recreate_tables(self, package: Package) -> None:
        """Let dlt create the tables and columns of its schema that the database lacks.

        dlt does so if it does not find the schema's version in the database.

        Raises:
            LoadFailed: If the database refuses the change.
        """
        with self._session.connect() as client:
            forget_version(client)
            self._by_dlt.load(package.without_rows())

    def _commit(self, package: Package, client: SqlClientBase[Any], schema: SchemaVersion) -> str:
        """Commit a package in one transaction; returns the id of the load."""
        committer = Committer(self._session, cast(DuckDbSqlClient, client), schema)
        with self._session.translating_errors():
            load_id = make_load_id(committer.find_newest_load())
        with self._session.translating_errors(load_id):
            committer.commit(package, load_id)
        return load_id

    def _create_tables(self, package: Package, client: SqlClientBase[Any]) -> set[str]:
        """Let dlt create the missing tables of a package, and set the schema; None if dlt must load the package.

        Returns:
            The ids of dlt's loads.
        """
        load_ids: set[str] = set()
        self._schema = find_schema(self._session.pipeline, package)
        if repair_dlt_tables(client) or self._schema is None:
            load_ids = self._by_dlt.load(package.without_rows())
            self._schema = find_schema(self._session.pipeline, package)
        self._checked = set(package.chunks)
        return load_ids


def make_load_id(newest: str | None) -> str:
    """A load id from this machine's clock that is greater than another: dlt restores the state with the highest id.

    Args:
        newest: The highest id so far; None if there is none.
    """
    by_clock = create_load_id()
    if newest is None or by_clock > newest:
        return by_clock
    return f"{Decimal(newest) + TICK:.7f}"
