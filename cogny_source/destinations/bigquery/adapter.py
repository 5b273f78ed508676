"""The adapter for BigQuery."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from dlt.common.typing import TLoaderFileFormat
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.adapter import Writer
from cogny_source.destinations.bigquery.hints import make_table_hints
from cogny_source.destinations.bigquery.jsonl import EMULATOR, JsonlWriter
from cogny_source.destinations.model_store import ModelsPlace, ModelStore
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.errors import ConfigError
from cogny_source.schema import ChildSpec, TableSpec


class BigQueryAdapter(SqlAdapter):
    """A dataset in BigQuery. It is loaded from JSON lines: BigQuery reads no JSON columns from Parquet files."""

    loader_file_format: ClassVar[TLoaderFileFormat] = "jsonl"

    def unix_micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""
        return f"unix_micros({column})"

    def table_hints(self, spec: TableSpec | ChildSpec) -> dict[str, Any]:
        """The description, partitions and clusters of a table."""
        return make_table_hints(spec)

    @contextmanager
    def open_writer(self, folder: Path) -> Iterator[Writer]:
        """A writer of files with JSON lines; dlt links each file into its package as soon as it is yielded."""
        with TemporaryDirectory(dir=folder) as files:
            yield JsonlWriter(Path(files), compress=EMULATOR not in os.environ)

    @contextmanager
    def open_models(self, client: SqlClientBase[Any], place: ModelsPlace) -> Iterator[ModelStore]:
        """The models in a dataset of the same project."""
        from cogny_source.destinations.bigquery.models import BigQueryModelStore

        if place.database is not None:
            raise ConfigError("--models-database is for a folder: BigQuery holds its models itself")
        yield BigQueryModelStore(client.native_connection, client.dataset_name, place.dataset)
