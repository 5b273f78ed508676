"""Models in a DuckDB file: the one that holds the loaded tables, or one beside a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import duckdb

from cogny_source.destinations.model_store import Dialect, ModelStore, ModelText, Relation
from cogny_source.errors import LoadFailed

# DuckDB writes the rest to its temporary folder.
MEMORY_MEGABYTES = 1_500
MEGABYTE = 2**20
LIST_TYPES = """
    SELECT table_name, table_type FROM information_schema.tables WHERE table_catalog = ? AND table_schema = ?
"""


class DuckDbModelStore(ModelStore):
    """Builds in one transaction: readers see all models of one build.

    Args:
        connection: The connection, outside a transaction.
        source: The database and the schema of the loaded tables.
        target: The database and the schema of the models.
        keeps_views: Whether views may stay views; not where the loaded tables are in another database, which a view
            would not find once it is opened alone.
    """

    dialect: ClassVar[Dialect] = "duckdb"

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        keeps_views: bool = True,
    ) -> None:
        self._connection = connection
        self._source = source
        self._target = target
        self._keeps_views = keeps_views
        self._present: dict[str, str] = {}
        connection.execute("SET TimeZone = 'UTC'")

    def list_loaded(self, tables: Iterable[str]) -> frozenset[str]:
        """Those of some tables that the destination holds."""
        return frozenset(self._list_types(self._source).keys() & set(tables))

    def loaded(self, table: str) -> Relation:
        """A loaded table."""
        return Relation(*self._source, table)

    def model(self, name: str) -> Relation:
        """A model, which may not be built yet."""
        return Relation(*self._target, name)

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build in the block; at its end all of it is committed, or nothing of it."""
        with _translating_errors():
            _bound_memory(self._connection)
            self._connection.begin()
            try:
                database, schema = self._target
                self._connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{database}"."{schema}"')
                self._present = self._list_types(self._target)
                yield
                self._connection.commit()
            except BaseException:
                with suppress(duckdb.Error):  # DuckDB has undone it already where the commit failed
                    self._connection.rollback()
                raise

    def create(self, model: ModelText) -> None:
        """Create a table or a view, or replace the one with its name."""
        relation = self.model(model.name)
        kind = model.kind if self._keeps_views else "table"
        if model.name in self._present:
            is_view = self._present[model.name] == "VIEW"
            self._connection.execute(f"DROP {'VIEW' if is_view else 'TABLE'} {relation}")
        self._connection.execute(f"CREATE {kind.upper()} {relation} AS\n{model.sql}")
        comments = [f"COMMENT ON {kind.upper()} {relation} IS {_quote(model.description)}"]
        for column, text in model.columns.items():
            comments.append(f'COMMENT ON COLUMN {relation}."{column}" IS {_quote(text)}')
        self._connection.execute("; ".join(comments))

    def has(self, model: str) -> bool:
        """Whether a model is built."""
        return model in self._list_types(self._target)

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns' names and the rows of a query."""
        with _translating_errors():
            found = self._connection.execute(sql)
            return [column[0] for column in found.description or ()], found.fetchall()

    def _list_types(self, schema: tuple[str, str]) -> dict[str, str]:
        """Each relation of a schema as `BASE TABLE` or `VIEW`."""
        return dict(self._connection.execute(LIST_TYPES, schema).fetchall())


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise LoadFailed(f"DuckDB refuses the models: {str(error).splitlines()[0]}") from error


def _bound_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB within a part of the memory; without the rows' order it needs less, and no model has one."""
    limit = min(MEMORY_MEGABYTES, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 5 // MEGABYTE)
    connection.execute(f"SET memory_limit = '{limit}MB'; SET preserve_insertion_order = false")


def _quote(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
