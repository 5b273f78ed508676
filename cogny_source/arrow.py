"""Rows of the API to Arrow tables: typed columns, child tables, and `extra` for whatever fits no column."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from cogny_source.errors import ContractError
from cogny_source.instants import parse_instant
from cogny_source.schema import LOAD_ID, Column, ColumnType, ListSpec, TableSpec

Row = dict[str, Any]

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "bool": pa.bool_(),
    "json": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
NULL = type(None)
FITTING_TYPES: dict[ColumnType, frozenset[type]] = {
    "text": frozenset({str, NULL}),
    "double": frozenset({float, int, NULL}),
    "bigint": frozenset({int, NULL}),
    "bool": frozenset({bool, NULL}),
}
MAX_EXACT_DOUBLE = 2**53
MAX_BIGINT = 2**63
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Leftovers:
    """What the typed columns of a batch do not hold, row by row, in the shape the API sent it.

    Attributes:
        rows: Position in the batch to the members that are kept in `extra`.
        fields: Dotted field name to the number of rows that brought it.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)

    def keep(self, position: int, path: tuple[str, ...], value: object) -> None:
        """Keep a value verbatim under its own name."""
        target = self.rows.setdefault(position, {})
        for name in path[:-1]:
            target = target.setdefault(name, {})
        target[path[-1]] = value
        self.fields[".".join(path)] += 1


@dataclass(frozen=True)
class Converted:
    """A batch of rows as Arrow.

    Attributes:
        tables: Table name to Arrow table, the parent first; row i of the parent is row i of the batch.
        parents: Child table name to the batch position of each child row's parent.
        undeclared: Dotted name of each field kept in `extra`, and in how many rows.
    """

    tables: dict[str, pa.Table]
    parents: dict[str, list[int]]
    undeclared: Counter[str]


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table as it is loaded, without `_dlt_load_id`, which is known only then."""
    return pa.schema(
        [pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable) for c in columns if c.name != LOAD_ID.name]
    )


def convert_rows(spec: TableSpec, rows: Sequence[Row]) -> Converted:
    """Turn rows of the API into Arrow tables, losing nothing.

    Args:
        spec: The table the rows belong to.
        rows: The rows, as JSON objects.

    Returns:
        The table and its child tables.

    Raises:
        ContractError: If a row has no key.
    """
    leftovers = Leftovers()
    keys = _read_keys(spec, rows, leftovers)
    _keep_undeclared(spec, rows, leftovers)
    objects = _read_objects(spec, rows, leftovers)
    arrays = [pa.array(keys, pa.string())]
    for column in spec.columns[1:]:
        if column.path:
            arrays.append(_build_column(column, objects[column.path[:-1]], leftovers))
    children = {item.name: _build_list(item, keys, objects[item.path[:-1]], leftovers) for item in spec.lists}
    count = len(rows)
    arrays.append(pa.nulls(count, ARROW_TYPES["timestamp"]))
    arrays.append(pa.array([dump_json(leftovers.rows.get(i)) for i in range(count)], pa.string()))
    tables = {spec.name: pa.Table.from_arrays(arrays, schema=arrow_schema(spec.columns))}
    tables.update({name: table for name, (table, _) in children.items()})
    return Converted(tables, {name: parents for name, (_, parents) in children.items()}, leftovers.fields)


def dump_json(value: object) -> str | None:
    """Write a value as JSON text, None for null; integers of any size keep every digit."""
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, or a text that is no Unicode
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return SURROGATE.sub(lambda match: f"\\\\u{ord(match.group()):04x}", text)


def check_keys(spec: TableSpec, rows: Iterable[Row]) -> None:
    """Refuse rows that no key names.

    Raises:
        ContractError: If a row's `id` is neither a text nor a whole number.
    """
    for row in rows:
        key = row.get("id")
        if type(key) is not int and not (isinstance(key, str) and _is_unicode(key)):
            raise ContractError(f"a row of {spec.name} has no key (`id` is of type {type(key).__name__})")


def _read_keys(spec: TableSpec, rows: Sequence[Row], leftovers: Leftovers) -> list[str]:
    check_keys(spec, rows)
    for position, row in enumerate(rows):
        if type(row["id"]) is int:
            leftovers.keep(position, ("id",), row["id"])
    return [str(row["id"]) for row in rows]


def _declared_members(spec: TableSpec) -> dict[tuple[str, ...], set[str]]:
    """For each object of a row, by its path, the members that columns or lists declare."""
    members: dict[tuple[str, ...], set[str]] = {(): set()}
    for path in [c.path for c in spec.columns if c.path] + [item.path for item in spec.lists]:
        members.setdefault(path[:-1], set()).add(path[-1])
        if len(path) > 1:
            members[()].add(path[0])
    return members


def _keep_undeclared(spec: TableSpec, rows: Sequence[Row], leftovers: Leftovers) -> None:
    for path, declared in _declared_members(spec).items():
        for position, row in enumerate(rows):
            member = row.get(path[0]) if path else row
            if isinstance(member, dict) and not member.keys() <= declared:
                for name in member.keys() - declared:
                    leftovers.keep(position, (*path, name), member[name])


def _read_objects(spec: TableSpec, rows: Sequence[Row], leftovers: Leftovers) -> dict[tuple[str, ...], Sequence[Row]]:
    """The rows themselves, and one object a row for each nested object; a value that is no object is kept."""
    objects: dict[tuple[str, ...], Sequence[Row]] = {(): rows}
    for path in _declared_members(spec):
        if not path:
            continue
        members: list[Row] = []
        for position, row in enumerate(rows):
            member = row.get(path[0])
            if member is not None and not isinstance(member, dict):
                leftovers.keep(position, path, member)
                member = None
            members.append(member or {})
        objects[path] = members
    return objects


def _build_column(column: Column, objects: Sequence[Row], leftovers: Leftovers) -> pa.Array:
    name = column.path[-1]
    values = [row.get(name) for row in objects]
    arrow_type = ARROW_TYPES[column.type]
    if column.type == "json":
        return pa.array([dump_json(value) for value in values], arrow_type)
    if column.type == "timestamp":
        return _build_timestamps(column, values, leftovers)
    if FITTING_TYPES[column.type] >= set(map(type, values)):
        try:
            return pa.array(values, arrow_type)
        except (ValueError, OverflowError):  # too large for the type, or no Unicode: look at each value below
            pass
    fitting = [_fit(column.type, value) for value in values]
    for position, (value, fit) in enumerate(zip(values, fitting, strict=True)):
        if value is not None and fit is None:
            leftovers.keep(position, column.path, value)
    return pa.array(fitting, arrow_type)


def _build_timestamps(column: Column, values: Sequence[object], leftovers: Leftovers) -> pa.Array:
    instants: list[datetime | None] = [parse_instant(value) for value in values]
    for position, instant in enumerate(instants):
        if instant is None and values[position] is not None:
            leftovers.keep(position, column.path, values[position])
    return pa.array(instants, ARROW_TYPES["timestamp"])


def _fit(column_type: ColumnType, value: object) -> object:
    """The value where it fits the type without loss, else None."""
    if column_type == "text":
        return value if isinstance(value, str) and _is_unicode(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if column_type == "double":
        return float(value) if isinstance(value, float) or abs(value) <= MAX_EXACT_DOUBLE else None
    integral = int(value) if value == value // 1 else None
    return integral if integral is not None and -MAX_BIGINT <= integral < MAX_BIGINT else None


def _is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: JSON can smuggle in half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _build_list(
    item: ListSpec, keys: Sequence[str], objects: Sequence[Row], leftovers: Leftovers
) -> tuple[pa.Table, list[int]]:
    """A child table with a row an element, or a tombstone where the list is empty; and each row's parent."""
    parents: list[int] = []
    positions: list[int | None] = []
    values: list[object] = []
    for position, row in enumerate(objects):
        elements = row.get(item.path[-1])
        fitting = _fit_elements(elements)
        if elements is not None and fitting != elements:
            leftovers.keep(position, item.path, elements)
        parents.extend([position] * (len(fitting) or 1))
        positions.extend(range(len(fitting)) if fitting else [None])
        values.extend(fitting or [None])
    table = pa.Table.from_arrays(
        [
            pa.array([keys[parent] for parent in parents], pa.string()),
            pa.array(positions, pa.int64()),
            pa.array(values, pa.string()),
            pa.array([True if position is None else None for position in positions], pa.bool_()),
        ],
        schema=arrow_schema(item.columns),
    )
    return table, parents


def _fit_elements(elements: object) -> list[object]:
    if not isinstance(elements, list):
        return []
    if set(map(type, elements)) <= {str} and _is_unicode("".join(elements)):
        return elements
    return [_fit("text", element) for element in elements]
