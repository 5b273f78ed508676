"""A made-up resource with every kind of child table: lists of objects, lists inside lists, lists of texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.schema import DELETED_AT, EXTRA, LOAD_ID, ChildSpec, Column, ColumnType, TableSpec
from cogny_source.timestamps import parse_instant


def field(path: str, column_type: ColumnType = "text") -> Column:
    """A column that a member fills."""
    parts = tuple(path.split("."))
    return Column("__".join(parts), column_type, f"The member {path}.", path=parts)


TAGS = ChildSpec(
    "papers__tags", "A tag of a claim.", ("paper_id", "section_position", "claim_position"), ("labels", "tags")
)
CLAIMS = ChildSpec(
    "papers__claims",
    "A claim of a section.",
    ("paper_id", "section_position"),
    ("claims",),
    fields=(field("text"), field("confidence", "double"), field("data", "json"), field("labels.kind")),
    children=(TAGS,),
)
NOTES = ChildSpec("papers__notes", "A note on a section.", ("paper_id", "section_position"), ("notes",))
SECTIONS = ChildSpec(
    "papers__sections",
    "A section of a paper.",
    ("paper_id",),
    ("body", "sections"),
    fields=(field("title"), field("pages", "bigint"), field("final", "bool"), field("written_at", "timestamp")),
    children=(CLAIMS, NOTES),
)
KEYWORDS = ChildSpec("papers__keywords", "A keyword of a paper.", ("paper_id",), ("keywords",))
PAPERS = TableSpec(
    "papers",
    "A paper.",
    (
        Column("paper_id", "text", "The key.", path=("paper_id",), nullable=False),
        field("title"),
        field("body.language"),
        field("created_at", "timestamp"),
        field("updated_at", "timestamp"),
        DELETED_AT,
        EXTRA,
        LOAD_ID,
    ),
    primary_key=("paper_id",),
    children=(SECTIONS, KEYWORDS),
    history=("title",),
)
CHILDREN = (SECTIONS, CLAIMS, TAGS, NOTES, KEYWORDS)

Spec = TableSpec | ChildSpec
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS | st.just("2025-02-03T10:30:00.5+02:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


def objects_of(spec: Spec) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any value, and often the declared one, under declared and undeclared names."""
    members: dict[str, dict[str, Any]] = {"": {"unknown": VALUES, "extra": VALUES, "position": VALUES}}
    for column in spec.columns:
        if column.path and column.name != "paper_id":
            _place_strategy(members, column.path, TEXTS | VALUES)
    for child in spec.children:
        proper = TEXTS if child.holds_texts else objects_of(child)
        lists = st.lists(proper, max_size=3) | st.lists(proper | proper | VALUES, max_size=3) | VALUES
        _place_strategy(members, child.path, lists)
    inner = {name: st.fixed_dictionaries({}, optional=found) | VALUES for name, found in members.items() if name}
    return st.fixed_dictionaries({}, optional={**members[""], **inner})


def _place_strategy(members: dict[str, dict[str, Any]], path: tuple[str, ...], values: Any) -> None:
    members.setdefault("" if len(path) == 1 else path[0], {})[path[-1]] = values


def list_papers() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Papers with keys of their own."""
    papers = st.lists(objects_of(PAPERS), min_size=1, max_size=4)
    return papers.map(lambda found: [{**paper, "paper_id": f"p{n}"} for n, paper in enumerate(found)])


def rebuild(spec: Spec, tables: Mapping[str, pa.Table], parent: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    """The objects of a table that have one parent, put together again from columns, child tables and `extra`."""
    found = []
    for record in tables[spec.name].to_pylist():
        key = tuple(record[name] for name in spec.primary_key)
        if key[-1] is None or key[: len(parent)] != parent:
            continue
        row: dict[str, Any] = {}
        for column in spec.columns:
            value = record.get(column.name)
            if column.path and value is not None:
                place(row, column.path, json.loads(value) if column.type == "json" else value)
        for child in spec.children:
            elements = _list_texts(child, tables, key) if child.holds_texts else rebuild(child, tables, key)
            if elements:
                place(row, child.path, elements)
        overlay(spec, row, json.loads(record["extra"]) if record["extra"] is not None else {})
        found.append(row)
    if isinstance(spec, ChildSpec):
        places = [
            record["position"]
            for record in tables[spec.name].to_pylist()
            if record["position"] is not None and tuple(record[name] for name in spec.parent_key) == parent
        ]
        assert places == list(range(len(found)))
    return found


def _list_texts(child: ChildSpec, tables: Mapping[str, pa.Table], parent: tuple[Any, ...]) -> list[Any]:
    records = [
        record
        for record in tables[child.name].to_pylist()
        if record["position"] is not None and tuple(record[name] for name in child.parent_key) == parent
    ]
    assert [record["position"] for record in records] == list(range(len(records)))
    return [record["value"] for record in records]


def place(row: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested member."""
    for name in path[:-1]:
        row = row.setdefault(name, {})
    row[path[-1]] = value


def overlay(spec: Spec, row: dict[str, Any], extra: dict[str, Any]) -> None:
    """Lay `extra` over the columns; objects that columns or lists are taken from are merged."""
    for name, value in extra.items():
        if name in _inner_objects(spec) and isinstance(value, dict):
            row.setdefault(name, {}).update(value)
        else:
            row[name] = value


def _inner_objects(spec: Spec) -> set[str]:
    paths = [column.path for column in spec.columns] + [child.path for child in spec.children]
    return {path[0] for path in paths if len(path) > 1}


def essence(spec: Spec, row: dict[str, Any]) -> dict[str, Any]:
    """An object without what null stands for, its readable timestamps as instants."""
    stamps = {column.path for column in spec.columns if column.type == "timestamp"}
    children = {child.path: child for child in spec.children}

    def reduce(path: tuple[str, ...], value: Any) -> Any:
        if path in stamps and isinstance(value, str):
            return parse_instant(value) or value
        child = children.get(path)
        if child is not None and isinstance(value, list):
            if child.holds_texts:
                return value or None
            return [essence(child, element) if isinstance(element, dict) else element for element in value] or None
        if len(path) == 1 and path[0] in _inner_objects(spec) and isinstance(value, dict):
            members = {name: reduce((*path, name), member) for name, member in value.items()}
            return {name: member for name, member in members.items() if member is not None} or None
        return value

    reduced = {name: reduce((name,), value) for name, value in row.items()}
    return {name: value for name, value in reduced.items() if value is not None}


OLD, NEW = "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"


FULL: dict[str, Any] = {
    "paper_id": "full",
    "title": "A paper",
    "created_at": OLD,
    "updated_at": OLD,
    "keywords": ["one", "two"],
    "body": {
        "language": "en",
        "sections": [
            {"title": "Bare", "pages": 3, "final": True, "written_at": OLD},
            {
                "title": "Rich",
                "colour": "red",
                "claims": [
                    {"text": "a", "confidence": 0.5, "data": {"b": 1, "a": [2]}, "labels": {"tags": ["x", "y"]}},
                    {"text": "b", "labels": {"kind": "odd", "tags": []}},
                    {"text": "c", "labels": {"tags": ["z"]}},
                ],
                "notes": ["n"],
            },
        ],
    },
}


EMPTY: dict[str, Any] = {"paper_id": "empty", "title": "Nothing", "created_at": NEW, "updated_at": OLD}


def build(rows: list[dict[str, Any]]) -> Chunk:
    """A chunk of papers."""
    builder = ChunkBuilder(PAPERS, history=True)
    builder.add(rows)
    return builder.build({"updated_after": NEW}, last=True)
