"""Digests of rows, the same for a row on its way in and for what the destination gives back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.records.convert import arrow_schema
from cogny_source.records.json_numbers import canonical_json
from cogny_source.schema import DELETED_AT, LOAD_ID, Column, ListSpec, TableSpec

DIGEST_BYTES = 8
DIGEST_SCHEMA = pa.schema([("key", pa.string()), ("digest", pa.int64())])


def compared_columns(spec: TableSpec) -> list[Column]:
    """The columns that hold what the API said of a row."""
    return [column for column in spec.columns if column.name not in (DELETED_AT.name, LOAD_ID.name)]


def comparable_values(spec: TableSpec, table: pa.Table) -> list[tuple[Any, ...]]:
    """The compared columns of each row, as values that are equal where they mean the same.

    Instants are microseconds, and JSON has its keys sorted and its numbers in one form.
    """
    columns = []
    for column, field in zip(compared_columns(spec), arrow_schema(compared_columns(spec)), strict=True):
        values = table[column.name].cast(field.type)
        if column.type == "timestamp":
            values = values.cast(pa.int64())
        columns.append(canonical_json(values) if column.type == "json" else values.to_pylist())
    return list(zip(*columns, strict=True))


def digest_rows(spec: TableSpec, table: pa.Table) -> pa.Table:
    """Key and digest of each row."""
    digests = [_digest(values) for values in comparable_values(spec, table)]
    keys = table[spec.columns[0].name].to_pylist()
    return pa.Table.from_arrays([pa.array(keys, pa.string()), pa.array(digests, pa.int64())], schema=DIGEST_SCHEMA)


def digest_lists(item: ListSpec, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Parent key and digest of each list.

    Args:
        item: The child table.
        tables: Its rows, those of one parent together and by position; a tombstone stands for an empty list.
    """
    elements = (row for table in tables for row in _elements(item, table))
    keys: list[str] = []
    digests: list[int] = []
    for key, group in groupby(elements, key=itemgetter(0)):
        keys.append(key)
        digests.append(_digest([(position, value) for _, position, value in group if position is not None]))
    yield pa.Table.from_arrays([pa.array(keys, pa.string()), pa.array(digests, pa.int64())], schema=DIGEST_SCHEMA)


def _elements(item: ListSpec, table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in (item.parent_column, "position", "value")), strict=True)


def _digest(value: object) -> int:
    return int.from_bytes(blake2b(orjson.dumps(value), digest_size=DIGEST_BYTES).digest(), signed=True)


EMPTY_LIST = _digest([])
