"""Arrow tables as newline-delimited JSON, the form in which BigQuery takes JSON columns.

dlt would write a JSON column as a quoted text, which BigQuery keeps as a text; here it stands as the value that it is.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.numerals import spell_out_wide
from cogny_source.schema import Column

# Half the time of gzip's own default, for files a tenth larger.
GZIP_LEVEL = 3


def write_jsonl(table: pa.Table, columns: Sequence[Column], path: Path, *, compress: bool) -> None:
    """Write a table's rows, one object a line.

    Args:
        table: The rows.
        columns: What they are, by name.
        path: The file.
        compress: Whether to write it gzipped.
    """
    types = {column.name: column.type for column in columns}
    names = table.column_names
    values = [_list_values(table[name], types[name]) for name in names]
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
    lines = (orjson.dumps(dict(zip(names, row, strict=True)), option=option) for row in zip(*values, strict=True))
    with gzip.open(path, "wb", GZIP_LEVEL) if compress else path.open("wb") as file:
        file.writelines(lines)


def _list_values(values: pa.ChunkedArray, column_type: str) -> list[Any]:
    if column_type == "bigint":  # as texts, like BigQuery's own exports: readers of JSON may cut numbers to doubles
        values = values.cast(pa.string())
    if column_type == "json":
        return [None if text is None else orjson.Fragment(text) for text in spell_out_wide(values)]
    listed: list[Any] = values.to_pylist()
    return listed
