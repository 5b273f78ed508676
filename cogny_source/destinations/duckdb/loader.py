"""Packages loaded into DuckDB: by one transaction where their tables are there, else by dlt, which makes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.adapter import Session
from cogny_source.destinations.dlt_internals import DuckDbSqlClient, create_load_id
from cogny_source.destinations.dlt_schema import SCHEMA_NAME, restored_schema
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.duckdb.declared_schema import (
    SchemaVersion,
    find_schema,
    forget_lost_ledger,
    forget_version,
)
from cogny_source.destinations.loader import DltLoader
from cogny_source.records.package import Package

# dlt orders ids as texts: epoch seconds with up to seven decimals.
TICK = Decimal("0.000001")


class DuckDbLoader:
    """Loads packages.

    Args:
        session: The DuckDB file.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._by_dlt = DltLoader(session)
        self._schema: SchemaVersion | None = None
        self._laid_out: set[str] = set()

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the database refuses it.
        """
        load_ids: set[str] = set()
        with self._session.hold() as client:
            # dlt looks its schema up in a file each time.
            if not package.chunks.keys() <= self._laid_out:
                load_ids = self._lay_out(package, client)
            if self._schema is None:
                return load_ids | self._by_dlt.load(package)
            return load_ids | {self._commit(package, client, self._schema)}

    def load_states(self, package: Package) -> None:
        """Commit a package that holds states alone; the connector's own tables may lack columns.

        Raises:
            LoadFailed: If the database refuses it.
        """
        schema = restored_schema(self._session.pipeline)
        with self._session.hold() as client:
            self._commit(package, client, SchemaVersion(SCHEMA_NAME, "" if schema is None else schema.version_hash))

    def remake_tables(self, package: Package) -> None:
        """Let dlt make what its schema has and the database lacks.

        dlt looks for that where it does not find the schema's version.

        Raises:
            LoadFailed: If the database refuses it.
        """
        with self._session.hold() as client:
            forget_version(client)
            self._by_dlt.load(package.without_rows())

    def _commit(self, package: Package, client: SqlClientBase[Any], schema: SchemaVersion) -> str:
        """Commit a package in one transaction; returns the id of the load."""
        committer = Committer(self._session, cast(DuckDbSqlClient, client), schema)
        with self._session.translating_errors():
            load_id = name_load(committer.find_newest_load())
        with self._session.translating_errors(load_id):
            committer.commit(package, load_id)
        return load_id

    def _lay_out(self, package: Package, client: SqlClientBase[Any]) -> set[str]:
        """Let dlt make the tables that a package lacks, and find the schema; None where dlt is to load the package."""
        load_ids: set[str] = set()
        self._schema = find_schema(self._session.pipeline, package)
        if forget_lost_ledger(client) or self._schema is None:
            load_ids = self._by_dlt.load(package.without_rows())
            self._schema = find_schema(self._session.pipeline, package)
        self._laid_out = set(package.chunks)
        return load_ids


def name_load(newest: str | None) -> str:
    """The id of a load, by this machine's clock, and above another: of the states, dlt takes the one of the highest id.

    Args:
        newest: The highest id so far; None for none.
    """
    own = create_load_id()
    if newest is None or own > newest:
        return own
    return f"{Decimal(newest) + TICK:.7f}"
