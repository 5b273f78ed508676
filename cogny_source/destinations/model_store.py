"""Where models are built: the loaded tables, which are read, and tables and views beside them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

MODELS_SUFFIX = "_models"
Dialect = Literal["duckdb", "bigquery"]
Kind = Literal["view", "table"]


@dataclass(frozen=True)
class ModelsPlace:
    """Where models are written.

    Attributes:
        dataset: The schema, or the dataset of BigQuery; it is not that of the loaded tables.
        database: The DuckDB file for models of a folder; None for a destination that holds its models itself.
        is_read_only: Whether nothing will be built.
    """

    dataset: str
    database: Path | None = None
    is_read_only: bool = False


@dataclass(frozen=True)
class Relation:
    """A table or a view, as dbt names its parts.

    Attributes:
        database: The database, or the project.
        schema: The schema, or the dataset.
        identifier: The name.
        quote: The character around each part.
    """

    database: str
    schema: str
    identifier: str
    quote: str = '"'

    def __str__(self) -> str:
        """The qualified name as it stands in SQL."""
        parts = (self.database, self.schema, self.identifier)
        return ".".join(f"{self.quote}{part}{self.quote}" for part in parts)


@dataclass(frozen=True)
class ModelText:
    """A model that is ready to be built.

    Attributes:
        name: Its name.
        kind: What it becomes.
        sql: Its query.
        description: What one row is.
        columns: Column to what it holds.
    """

    name: str
    kind: Kind
    sql: str
    description: str
    columns: Mapping[str, str]


class ModelStore(ABC):
    """An open connection in which models are built and queried. Each method raises `LoadFailed` if it is refused.

    Attributes:
        dialect: The SQL that it understands.
        bytes_read: The bytes that were read to build models; None where nobody counts them.
    """

    dialect: ClassVar[Dialect]
    bytes_read: int | None = None

    @abstractmethod
    def list_loaded(self, tables: Iterable[str]) -> frozenset[str]:
        """Those of some tables that the destination holds."""

    @abstractmethod
    def loaded(self, table: str) -> Relation:
        """A loaded table."""

    @abstractmethod
    def model(self, name: str) -> Relation:
        """A model, which may not be built yet."""

    @abstractmethod
    def building(self) -> AbstractContextManager[None]:
        """Build in the block: what `create` writes is seen by others when it ends, if the destination can do that."""

    @abstractmethod
    def create(self, model: ModelText) -> None:
        """Create a table or a view, or replace the one with its name."""

    @abstractmethod
    def has(self, model: str) -> bool:
        """Whether a model is built."""

    @abstractmethod
    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns' names and the rows of a query."""
