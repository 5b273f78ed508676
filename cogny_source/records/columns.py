"""Typed Arrow columns from JSON objects. Values that fit no column are kept verbatim."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.plain_text import safe_text
from cogny_source.schema import LOAD_ID, ChildSpec, Column, ColumnType, TableSpec
from cogny_source.timestamps import parse_instant

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
# A timestamp with one of these suffixes Arrow parses as `parse_instant` does, or refuses.
ZERO_OFFSETS = ("Z", "+00:00")
FIRST_MICROSECOND = int(datetime.min.replace(tzinfo=UTC).timestamp()) * 1_000_000
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Leftovers:
    """The values of a batch that fit no column, row by row, in the structure that the API sent.

    Attributes:
        fields: Dotted field name, safe to print, to the number of rows that have it.
        prefix: The path of the objects in a row of the API.
        rows: Position in the batch to the members that are kept in `extra`.
    """

    fields: Counter[str]
    prefix: tuple[str, ...] = ()
    rows: dict[int, Row] = field(default_factory=dict)

    def keep(self, position: int, path: tuple[str, ...], value: object) -> None:
        """Keep a value verbatim under its own name."""
        target = self.rows.setdefault(position, {})
        for name in path[:-1]:
            target = target.setdefault(name, {})
        target[path[-1]] = value
        self.fields[safe_text(".".join((*self.prefix, *path)))] += 1


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table without `_dlt_load_id`, which is known only when a load begins."""
    return pa.schema(
        [pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable) for c in columns if c.name != LOAD_ID.name]
    )


def dump_json(value: object) -> str | None:
    """A value as JSON text; None for null. Integers of any size keep every digit."""
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer beyond 64 bits, or a text that is not valid Unicode
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return SURROGATE.sub(lambda match: f"\\\\u{ord(match.group()):04x}", text)


def _declared_members(spec: TableSpec | ChildSpec) -> dict[tuple[str, ...], set[str]]:
    """The path of each object in a row, to its members that columns or child tables declare."""
    members: dict[tuple[str, ...], set[str]] = {(): set()}
    for path in [c.path for c in spec.columns if c.path] + [child.path for child in spec.children]:
        members.setdefault(path[:-1], set()).add(path[-1])
        if len(path) > 1:
            members[()].add(path[0])
    return members


def read_objects(
    spec: TableSpec | ChildSpec, rows: Sequence[Row], leftovers: Leftovers
) -> dict[tuple[str, ...], Sequence[Row]]:
    """Path to the objects there, one per row; the empty path has the rows themselves.

    Members that no column declares go into the leftovers.
    """
    objects: dict[tuple[str, ...], Sequence[Row]] = {}
    for path, declared in _declared_members(spec).items():
        members = objects[path] = _read_members(rows, path, leftovers) if path else rows
        if not set().union(*members) <= declared:
            for position, member in enumerate(members):
                for name in member.keys() - declared:
                    leftovers.keep(position, (*path, name), member[name])
    return objects


def _read_members(rows: Sequence[Row], path: tuple[str, ...], leftovers: Leftovers) -> Sequence[Row]:
    """A nested object of each row, empty if it is missing; other values go into the leftovers."""
    members = [row.get(path[0]) for row in rows]
    if not set(map(type, members)) <= {dict, NULL}:
        for position, member in enumerate(members):
            if member is not None and not isinstance(member, dict):
                leftovers.keep(position, path, member)
                members[position] = None
    return [member or {} for member in members]


def build_extra(leftovers: Leftovers, count: int) -> pa.Array:
    """The column `extra` of `count` rows."""
    if not leftovers.rows:
        return pa.nulls(count, pa.string())
    return pa.array([dump_json(leftovers.rows.get(position)) for position in range(count)], pa.string())


def build_column(column: Column, objects: Sequence[Row], leftovers: Leftovers) -> pa.Array:
    """A column from one member of each object; values that do not fit become null and go into the leftovers."""
    name = column.path[-1]
    values = list_values(objects, name)
    arrow_type = ARROW_TYPES[column.type]
    if column.type == "json":
        return pa.array(list(map(dump_json, values)), arrow_type)
    if column.type == "timestamp":
        return _build_timestamps(column, values, leftovers)
    array = build_at_once(values, arrow_type, FITTING_TYPES[column.type])
    if array is not None:
        return array
    fitting = [fit(column.type, value) for value in values]
    for position, (value, fitted) in enumerate(zip(values, fitting, strict=True)):
        if value is not None and fitted is None:
            leftovers.keep(position, column.path, value)
    return pa.array(fitting, arrow_type)


def list_values(objects: Sequence[Row], name: str) -> list[Any]:
    """One member of each object; None if it is missing."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:  # an object lacks it
        return [member.get(name) for member in objects]


def build_at_once(values: Sequence[object], arrow_type: pa.DataType, fitting: frozenset[type]) -> pa.Array | None:
    """The values unchanged as an array; None if one does not fit."""
    if not fitting >= set(map(type, values)):
        return None
    try:
        return pa.array(values, arrow_type)
    except (ValueError, OverflowError):  # too large for the type, or not valid Unicode
        return None


def _build_timestamps(column: Column, values: Sequence[object], leftovers: Leftovers) -> pa.Array:
    array = _parse_plain_instants(values)
    if array is not None:
        return array
    instants: list[datetime | None] = [parse_instant(value) for value in values]
    for position, instant in enumerate(instants):
        if instant is None and values[position] is not None:
            leftovers.keep(position, column.path, values[position])
    return pa.array(instants, ARROW_TYPES["timestamp"])


def _parse_plain_instants(values: Sequence[Any]) -> pa.Array | None:
    """The instants of texts in the API's usual form; None if one has another form."""
    texts = build_at_once(values, pa.string(), FITTING_TYPES["text"])
    if texts is None:
        return None
    if not all(text is None or (text[10:11] == "T" and text.endswith(ZERO_OFFSETS)) for text in values):
        return None
    try:
        instants = texts.cast(ARROW_TYPES["timestamp"])
    except pa.ArrowInvalid:
        return None
    earliest = pc.min(instants)
    return None if earliest.is_valid and earliest.value < FIRST_MICROSECOND else instants


def fit(column_type: ColumnType, value: object) -> object:
    """The value if it fits the type without loss, else None."""
    if column_type == "text":
        return value if isinstance(value, str) and is_unicode(value) else None
    if column_type == "bool":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if column_type == "double":
        return float(value) if isinstance(value, float) or abs(value) <= MAX_EXACT_DOUBLE else None
    integral = int(value) if value == value // 1 else None
    return integral if integral is not None and -MAX_BIGINT <= integral < MAX_BIGINT else None


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8: a text from JSON may have a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
