"""Digests of rows, equal for a converted row and for the row that the destination returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.records.columns import arrow_schema
from cogny_source.records.json_numbers import canonical_json
from cogny_source.schema import DELETED_AT, LOAD_ID, POSITION, TOMBSTONE, ChildSpec, Column, TableSpec

DIGEST_BYTES = 8
OURS = (DELETED_AT.name, LOAD_ID.name, TOMBSTONE)
DIGEST_SCHEMA = pa.schema([("key", pa.string()), ("digest", pa.int64())])


def compared_columns(spec: TableSpec | ChildSpec) -> list[Column]:
    """The columns whose values come from the API."""
    return [column for column in spec.columns if column.name not in OURS]


def comparable_values(spec: TableSpec | ChildSpec, table: pa.Table) -> list[tuple[Any, ...]]:
    """The compared columns of each row, in a canonical form.

    Instants are microseconds since 1970; JSON has sorted keys and one form of numbers.
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
    keys = table[spec.key].to_pylist()
    return pa.Table.from_arrays([pa.array(keys, pa.string()), pa.array(digests, pa.int64())], schema=DIGEST_SCHEMA)


def digest_children(child: ChildSpec, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Root key and digest of all rows of a child table that belong to it.

    Args:
        child: The child table.
        tables: Its rows, in the order of its key; a tombstone means an empty list.
    """
    place = [column.name for column in compared_columns(child)].index(POSITION.name)
    elements = (values for table in tables for values in comparable_values(child, table))
    keys: list[str] = []
    digests: list[int] = []
    for key, group in groupby(elements, key=itemgetter(0)):
        keys.append(key)
        digests.append(_digest([values[1:] for values in group if values[place] is not None]))
    yield pa.Table.from_arrays([pa.array(keys, pa.string()), pa.array(digests, pa.int64())], schema=DIGEST_SCHEMA)


def _digest(value: object) -> int:
    return int.from_bytes(blake2b(orjson.dumps(value), digest_size=DIGEST_BYTES).digest(), signed=True)


EMPTY_LIST = _digest([])
