"""BigQuery as the connector's destination."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from dlt.common.typing import TLoaderFileFormat

from cogny_source.destinations.adapter import Writer
from cogny_source.destinations.bigquery.hints import lay_out
from cogny_source.destinations.bigquery.jsonl import EMULATOR, JsonlWriter
from cogny_source.destinations.sql import SqlAdapter
from cogny_source.schema import ChildSpec, TableSpec


class BigQueryAdapter(SqlAdapter):
    """A dataset in BigQuery, which takes no JSON columns from Parquet files."""

    loader_file_format: ClassVar[TLoaderFileFormat] = "jsonl"

    def unix_micros(self, column: str) -> str:
        """SQL for a column of instants as microseconds since 1970."""
        return f"unix_micros({column})"

    def table_hints(self, spec: TableSpec | ChildSpec) -> dict[str, Any]:
        """Description, partitions and clusters."""
        return lay_out(spec)

    @contextmanager
    def open_writer(self, folder: Path) -> Iterator[Writer]:
        """Files of JSON lines; dlt links each into its package as soon as it is given."""
        with TemporaryDirectory(dir=folder) as files:
            yield JsonlWriter(Path(files), compress=EMULATOR not in os.environ)
