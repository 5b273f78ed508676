"""Rows of the API to Arrow tables: typed columns, child tables, and `extra` for values that fit no column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.errors import ContractError
from cogny_source.records.columns import (
    ARROW_TYPES,
    NULL,
    Leftovers,
    Row,
    arrow_schema,
    build_at_once,
    build_column,
    build_extra,
    fit,
    is_unicode,
    list_values,
    read_objects,
)
from cogny_source.schema import EXTRA, LOAD_ID, TOMBSTONE, VALUE, ChildSpec, TableSpec


@dataclass(frozen=True)
class Converted:
    """A batch of rows as Arrow.

    Attributes:
        tables: Table name to Arrow table. The resource's table comes first; its row i is row i of the batch.
        roots: Child table name to the batch position of the row that each child row belongs to.
        undeclared: Dotted name of each field kept in `extra`, safe to print, to the number of rows that have it.
    """

    tables: dict[str, pa.Table]
    roots: dict[str, pa.Array]
    undeclared: Counter[str]


@dataclass(frozen=True)
class _Level:
    """The objects that become the rows of one table.

    Attributes:
        objects: The objects.
        roots: The batch position of the row that each belongs to.
        keys: The arrays of the table's key columns, in their order.
        leftovers: Takes the values that fit no column.
        is_root: Whether the objects are the rows of the batch themselves.
    """

    objects: Sequence[Row]
    roots: pa.Array
    keys: tuple[pa.Array, ...]
    leftovers: Leftovers
    is_root: bool = False


def convert_rows(spec: TableSpec, rows: Sequence[Row]) -> Converted:
    """Convert rows of the API to Arrow tables without loss.

    A column whose values all fit is built in one step; otherwise each of its values is checked.

    Args:
        spec: The table of the rows.
        rows: The rows, as JSON objects.

    Returns:
        The table and its child tables.

    Raises:
        ContractError: If a row has no key.
    """
    converted = Converted({}, {}, Counter())
    leftovers = Leftovers(converted.undeclared)
    keys = _read_keys(spec, rows, leftovers)
    level = _Level(rows, pa.array(range(len(rows)), pa.int64()), (keys,), leftovers, is_root=True)
    _add_table(spec, level, {spec.key: keys}, converted)
    del converted.roots[spec.name]
    return converted


def check_keys(spec: TableSpec, rows: Iterable[Row]) -> None:
    """Refuse rows without a key.

    Raises:
        ContractError: If a row's key is neither a text nor a whole number.
    """
    name = spec.key_member
    keys: list[Any] = [row.get(name) for row in rows]
    if set(map(type, keys)) <= {str} and is_unicode("".join(keys)):
        return
    for key in keys:
        if type(key) is not int and not (isinstance(key, str) and is_unicode(key)):
            raise ContractError(f"a row of {spec.name} has no key (`{name}` is of type {type(key).__name__})")


def _read_keys(spec: TableSpec, rows: Sequence[Row], leftovers: Leftovers) -> pa.Array:
    check_keys(spec, rows)
    keys = [row[spec.key_member] for row in rows]
    if int in set(map(type, keys)):
        for position, key in enumerate(keys):
            if type(key) is int:
                leftovers.keep(position, (spec.key_member,), key)
        keys = list(map(str, keys))
    return pa.array(keys, pa.string())


def _add_table(spec: TableSpec | ChildSpec, level: _Level, built: Mapping[str, pa.Array], converted: Converted) -> None:
    """Add the table of some objects, and the child tables of their lists.

    Args:
        spec: The table.
        level: The objects.
        built: The columns that are built already: keys, positions and tombstones.
        converted: Takes the tables.
    """
    objects = read_objects(spec, level.objects, level.leftovers)
    arrays = dict(built)
    for column in spec.columns:
        if column.path and column.name not in built:
            arrays[column.name] = build_column(column, objects[column.path[:-1]], level.leftovers)
    inner = Converted({}, {}, converted.undeclared)
    for child in spec.children:
        lists = list_values(objects[child.path[:-1]], child.path[-1])
        if child.holds_texts:
            _add_texts(child, lists, level, inner)
        else:
            _add_objects(child, lists, level, inner)
    arrays[EXTRA.name] = build_extra(level.leftovers, len(level.objects))
    _put(spec, level.roots, arrays, converted)
    converted.tables.update(inner.tables)
    converted.roots.update(inner.roots)


def _put(spec: TableSpec | ChildSpec, roots: pa.Array, arrays: Mapping[str, pa.Array], converted: Converted) -> None:
    """Add a table with its columns in order; columns without an array are null."""
    columns = [
        arrays[column.name] if column.name in arrays else pa.nulls(len(roots), ARROW_TYPES[column.type])
        for column in spec.columns
        if column.name != LOAD_ID.name
    ]
    converted.tables[spec.name] = pa.Table.from_arrays(columns, schema=arrow_schema(spec.columns))
    converted.roots[spec.name] = roots


def _add_texts(child: ChildSpec, lists: Sequence[Any], parent: _Level, converted: Converted) -> None:
    """Add a child table of texts."""
    array, filled = None, lists
    if set(map(type, lists)) <= {list, NULL} and set(map(type, chain.from_iterable(filter(None, lists)))) <= {str}:
        marked = _mark_empty(lists, parent)
        array = build_at_once(_fill(lists, marked, None), pa.list_(pa.string()), frozenset({list}))
    if array is None:
        filled = [_fit_texts(elements) for elements in lists]
        for position, (elements, fitting) in enumerate(zip(lists, filled, strict=True)):
            if elements is not None and elements != fitting:
                parent.leftovers.keep(position, child.path, elements)
        marked = _mark_empty(filled, parent)
        array = pa.array(_fill(filled, marked, None), pa.list_(pa.string()))
    places = _Places.of(child, array, marked, parent)
    _put(child, places.roots, {**places.columns, VALUE.name: array.flatten()}, converted)


def _add_objects(child: ChildSpec, lists: Sequence[Any], parent: _Level, converted: Converted) -> None:
    """Add a child table of objects, and the child tables of their lists.

    A list with any other element goes into the leftovers whole, so that null and an empty object stay distinct.
    """
    filled: list[list[Row]] = []
    for position, elements in enumerate(lists):
        listed = elements if isinstance(elements, list) else []
        filled.append([element if isinstance(element, dict) else {} for element in listed])
        if elements is not None and elements != filled[-1]:
            parent.leftovers.keep(position, child.path, elements)
    marked = _mark_empty(filled, parent)
    filled = _fill(filled, marked, {})
    offsets = pa.array(accumulate(map(len, filled), initial=0), pa.int32())
    objects = list(chain.from_iterable(filled))
    places = _Places.of(child, pa.ListArray.from_arrays(offsets, pa.nulls(len(objects))), marked, parent)
    leftovers = Leftovers(converted.undeclared, (*parent.leftovers.prefix, *child.path))
    keys = tuple(places.columns[name] for name in child.primary_key)
    _add_table(child, _Level(objects, places.roots, keys, leftovers), places.columns, converted)


@dataclass(frozen=True)
class _Places:
    """The parents and positions of the rows of a child table.

    Attributes:
        roots: The batch position of the row that each belongs to.
        columns: The key columns and the tombstone column.
    """

    roots: pa.Array
    columns: dict[str, pa.Array]

    @classmethod
    def of(cls, child: ChildSpec, lists: pa.ListArray, marked: Sequence[bool], parent: _Level) -> _Places:
        """The places of the elements of lists, one list per row of the parent.

        Args:
            child: The child table.
            lists: The lists; a list with a tombstone has one element for it.
            marked: Whether each list has a tombstone.
            parent: The parent's rows.
        """
        parents = pc.list_parent_indices(lists)
        tombstones = pa.array([True if is_marked else None for is_marked in marked], pa.bool_()).take(parents)
        starts = lists.offsets.cast(pa.int64()).take(parents)
        places = pc.subtract(pa.array(range(len(parents)), pa.int64()), starts)
        outer = [key.take(parents) for key in parent.keys[1:]]
        nothing = pa.scalar(None, pa.int64())
        positions = [pc.if_else(tombstones.is_null(), place, nothing) for place in (*outer, places)]
        keys = [parent.keys[0].take(parents), *positions]
        columns = dict(zip(child.primary_key, keys, strict=True))
        roots = parents.cast(pa.int64()) if parent.is_root else parent.roots.take(parents)
        return cls(roots, {**columns, TOMBSTONE: tombstones})


def _mark_empty(lists: Sequence[Any], parent: _Level) -> list[bool]:
    """Which lists get a tombstone: the first list of each row of the batch whose lists are all empty."""
    if parent.is_root:
        return [not elements for elements in lists]
    roots = parent.roots.to_pylist()
    done = {root for root, elements in zip(roots, lists, strict=True) if elements}
    marked = []
    for root in roots:
        marked.append(root not in done)
        done.add(root)
    return marked


def _fill(lists: Sequence[Any], marked: Sequence[bool], placeholder: Any) -> list[list[Any]]:
    return [[placeholder] if is_marked else elements or [] for elements, is_marked in zip(lists, marked, strict=True)]


def _fit_texts(elements: object) -> list[object]:
    return [fit(VALUE.type, element) for element in elements] if isinstance(elements, list) else []
