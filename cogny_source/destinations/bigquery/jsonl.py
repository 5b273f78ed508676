"""Arrow tables as newline-delimited JSON, from which BigQuery loads JSON columns.

dlt would write a JSON column as a quoted text, which BigQuery stores as a text; here it is written as a JSON value.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.destinations.dlt_internals import declare_table, has_row_ids, import_file, name_table_by_item
from cogny_source.records.json_numbers import spell_out_wide
from cogny_source.schema import ChildSpec, Column, TableSpec

# The variable with the host of the BigQuery emulator, which reads no compressed files.
EMULATOR = "BIGQUERY_EMULATOR_HOST"
# Takes half the time of gzip's default level; the files are a tenth larger.
GZIP_LEVEL = 3


def write_jsonl(table: pa.Table, columns: Sequence[Column], path: Path, *, compress: bool) -> None:
    """Write a table's rows, one JSON object per line.

    Args:
        table: The rows.
        columns: The columns of the table's schema.
        path: The file.
        compress: Whether to compress it with gzip.
    """
    types = {column.name: column.type for column in columns}
    names = table.column_names
    values = [_list_values(table[name], types.get(name, "text")) for name in names]
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
    lines = (orjson.dumps(dict(zip(names, row, strict=True)), option=option) for row in zip(*values, strict=True))
    with gzip.open(path, "wb", GZIP_LEVEL) if compress else path.open("wb") as file:
        file.writelines(lines)


def _list_values(values: pa.ChunkedArray, column_type: str) -> list[Any]:
    if column_type == "bigint":  # as texts, like BigQuery's exports: JSON parsers may round numbers to doubles
        values = values.cast(pa.string())
    if column_type == "json":
        return [None if text is None else orjson.Fragment(text) for text in spell_out_wide(values)]
    listed: list[Any] = values.to_pylist()
    return listed


class JsonlWriter:
    """Yields files to dlt instead of tables.

    dlt imports a file into the table that its resource names, and ignores the table name of hints. Hence the first
    item makes the resource take the table's name from each item, and each file is yielded with the name as its item.
    """

    def __init__(self, folder: Path, *, compress: bool) -> None:
        self._folder = folder
        self._compress = compress
        self._files = 0

    def __call__(self, table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:
        """Write a file, and yield the items that make dlt import it."""
        if not len(table):  # dlt would take an empty file for a compressed one; the hints create the table
            yield from declare_table(spec.name, hints)
            return
        if has_row_ids(spec.name):
            table = table.append_column("_dlt_id", pa.array([uuid.uuid4().hex for _ in range(len(table))], pa.string()))
        self._files += 1
        path = self._folder / f"{self._files}.jsonl{'.gz' if self._compress else ''}"
        write_jsonl(table, spec.columns, path, compress=self._compress)
        if self._files == 1:
            yield name_table_by_item()
        yield from import_file(spec.name, hints, path, len(table))
