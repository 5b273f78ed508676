"""Models as the tests build them: loaded tables in memory, made of the rows that a case needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb

from cogny_source.destinations.duckdb_models import DuckDbModelStore
from cogny_source.models.build import build_models
from cogny_source.models.checks import Outcome, run_tests
from cogny_source.models.project import read_project

TYPES = {
    "text": "VARCHAR",
    "json": "JSON",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}
DATASET, MODELS = "cogny_data", "cogny_data_models"
Row = dict[str, Any]
Tables = Mapping[str, list[Row]]
# What a version of a ticket keeps.
KEPT = ("status", "priority", "category", "assignee", "effort")


def at(text: str) -> datetime:
    """An instant in UTC, such as `2026-10-25 01:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticket(
    identity: str, created: str | None, *versions: tuple[str | None, str | None], seen: bool = True, **values: Any
) -> Tables:
    """A ticket and its versions, each with the instant at which it began and a status.

    Args:
        identity: Its id.
        created: When it was created.
        *versions: The versions that syncs have seen, the newest last; none for a ticket that is open as created.
        seen: Whether the history holds them.
        **values: Other columns of the ticket and of each version, such as `deleted_at`.
    """
    told = versions or ((created, "open"),)
    row: Row = {
        "id": identity,
        "warehouse_id": "wh_1",
        "category": "retention",
        "priority": "high",
        "created_at": created and at(created),
        **values,
    }
    rows = [{**row, "updated_at": began and at(began), "status": status} for began, status in told]
    history = [
        {"id": identity, "updated_at": it["updated_at"], **{name: it.get(name) for name in KEPT}}
        for it in rows
        if it["updated_at"] is not None
    ]
    return {"tickets": rows[-1:], "tickets_history": history if seen else []}


def sync_run(resource: str, watermark: str, **values: Any) -> Tables:
    """A complete run of the sync, a minute long."""
    began = at(watermark)
    row = {
        "run_id": f"run {watermark}",
        "resource": resource,
        "mode": "incremental",
        "status": "done",
        "started_at": began,
        "finished_at": began.replace(second=59),
        "updated_after_after": began,
        "rows": 1,
        "requests": 2,
    }
    return {"sync_runs": [{**row, **values}]}


def join(*parts: Tables) -> dict[str, list[Row]]:
    """The tables of several parts, one behind the other."""
    tables: dict[str, list[Row]] = {}
    for part in parts:
        for name, rows in part.items():
            tables.setdefault(name, []).extend(rows)
    return tables


class Models:
    """Built models, to be asked.

    Args:
        store: Where they are.
        connection: The same as a connection.
    """

    def __init__(self, store: DuckDbModelStore, connection: duckdb.DuckDBPyConnection) -> None:
        self.store = store
        self.connection = connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; models need no schema."""
        return self.connection.execute(query).fetchall()

    def read(self, model: str) -> list[Row]:
        """The rows of a model."""
        names, rows = self.store.query(f"SELECT * FROM {self.store.model(model)}")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def broken(self) -> list[Outcome]:
        """The data tests that found a row, but for the one that goes by the clock."""
        return [it for it in run_tests(self.store) if it.count and it.test.name != "synced_in_time"]


def write_loaded(connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
    """Make the loaded tables that are given, and no others."""
    connection.execute(f"SET TimeZone = 'UTC'; CREATE SCHEMA {DATASET}")
    for name, types in read_project().sources.items():
        if name in tables:
            columns = ", ".join(f'"{column}" {TYPES[kind]}' for column, kind in types.items())
            connection.execute(f"CREATE TABLE {DATASET}.{name} ({columns})")
            _insert(connection, f"{DATASET}.{name}", list(types), tables[name])


def make_store(connection: duckdb.DuckDBPyConnection) -> DuckDbModelStore:
    """The store of a database's models."""
    [(database,)] = connection.execute("SELECT current_database()").fetchall()
    return DuckDbModelStore(connection, (database, DATASET), (database, MODELS))


@contextmanager
def open_loaded(tables: Tables) -> Iterator[DuckDbModelStore]:
    """A store whose loaded tables are those given, and no others."""
    with duckdb.connect() as connection:
        write_loaded(connection, tables)
        yield make_store(connection)


@contextmanager
def built(tables: Tables, **variables: Any) -> Iterator[Models]:
    """The models of some loaded tables, built with variables such as `timezone`."""
    with open_loaded(tables) as store:
        build_models(store, {f"cogny_{name}": value for name, value in variables.items()})
        store._connection.execute(f"SET schema = '{MODELS}'")
        yield Models(store, store._connection)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, names: list[str], rows: Iterable[Row]) -> None:
    values = [[row.get(name) for name in names] for row in rows]
    if values:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", values)
