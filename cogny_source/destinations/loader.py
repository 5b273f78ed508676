"""How packages get into the destination: by a transaction of DuckDB where their tables are there, else by dlt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.dlt_internals import DuckDbSqlClient, create_load_id
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.duckdb.declared_schema import SchemaVersion, find_schema, forget_lost_ledger
from cogny_source.destinations.session import DestinationSession, loads_into_duckdb
from cogny_source.records.package import Package

# dlt orders ids as texts: epoch seconds with up to seven decimals.
TICK = Decimal("0.000001")


class Loader:
    """Loads packages.

    Args:
        destination: Where they are loaded.
    """

    def __init__(self, destination: DestinationSession) -> None:
        self._destination = destination
        self._schema: SchemaVersion | None = None
        self._asked: set[str] = set()

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the destination refuses it.
        """
        destination = self._destination
        if not loads_into_duckdb(destination.pipeline):
            return destination.load(make_package_source(package))
        load_ids: set[str] = set()
        with destination.hold() as client:
            # dlt looks its schema up in a file each time.
            if not package.chunks.keys() <= self._asked:
                load_ids = self._lay_out(package, client)
            if self._schema is None:
                return load_ids | destination.load(make_package_source(package))
            committer = Committer(destination, cast(DuckDbSqlClient, client), self._schema)
            load_id = name_load(committer.find_newest_load())
            with destination.translating_errors(load_id):
                committer.commit(package, load_id)
        return load_ids | {load_id}

    def _lay_out(self, package: Package, client: SqlClientBase[Any]) -> set[str]:
        """Let dlt make what a package's tables lack, and find the schema; none where it is told to make others."""
        load_ids: set[str] = set()
        self._schema = find_schema(self._destination.pipeline, package)
        if forget_lost_ledger(client) or self._schema is None:
            load_ids = self._destination.load(make_package_source(package.without_rows()))
            self._schema = find_schema(self._destination.pipeline, package)
        self._asked = set(package.chunks)
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
