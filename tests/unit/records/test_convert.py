"""Rows to Arrow: whatever JSON comes, nothing raises and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.api.envelope import parse_json
from cogny_source.errors import ContractError
from cogny_source.records.chunk import ChunkBuilder
from cogny_source.records.columns import dump_json
from cogny_source.records.convert import convert_rows
from cogny_source.schema import REPORTS, RESOURCE_TABLES, TICKETS, TableSpec
from cogny_source.timestamps import parse_instant

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | TEXTS | st.just("2025-02-03T10:30:00.5+02:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
IMPACT = ("metric", "current_value", "projected_value", "increase_percentage", "confidence", "unknown")


def rows_of(spec: TableSpec) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows with any value under declared and undeclared names."""
    names = sorted(
        {column.path[0] for column in spec.columns if column.path} | {item.path[0] for item in spec.children}
    )
    member = st.sampled_from([*names, "unknown", "extra", "deleted_at"])
    nested = st.dictionaries(st.sampled_from(IMPACT) | st.just("key_findings"), VALUES, max_size=4)
    values = VALUES | nested | st.lists(TEXTS, max_size=3)
    row = st.dictionaries(member.filter(lambda name: name != "id"), values, max_size=8)
    return st.lists(st.tuples(TEXTS, row).map(lambda pair: {**pair[1], "id": pair[0]}), min_size=1, max_size=6)


def rebuild(spec: TableSpec, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, put together again from columns, child tables and `extra`."""
    converted = convert_rows(spec, rows)
    rebuilt: list[dict[str, Any]] = []
    for record in converted.tables[spec.name].to_pylist():
        row: dict[str, Any] = {}
        for column in spec.columns:
            value = record.get(column.name)
            if column.path and value is not None:
                place(row, column.path, json.loads(value) if column.type == "json" else value)
        rebuilt.append(row)
    for item in spec.children:
        children = converted.tables[item.name].to_pylist()
        for parent, child in zip(converted.roots[item.name].to_pylist(), children, strict=True):
            if child["position"] is not None:
                elements = place(rebuilt[parent], item.path, [], keep=True)
                assert len(elements) == child["position"]
                elements.append(child["value"])
    for row, record in zip(rebuilt, converted.tables[spec.name].to_pylist(), strict=True):
        if record["extra"] is not None:
            overlay(row, json.loads(record["extra"]), spec)
    return rebuilt


def place(row: dict[str, Any], path: tuple[str, ...], value: Any, *, keep: bool = False) -> Any:
    """Set a nested member; with `keep`, only where there is none yet."""
    for name in path[:-1]:
        row = row.setdefault(name, {})
    return row.setdefault(path[-1], value) if keep else row.__setitem__(path[-1], value)


def overlay(row: dict[str, Any], extra: dict[str, Any], spec: TableSpec) -> None:
    """Lay `extra` over the columns; objects that columns are taken from are merged."""
    objects = {column.path[0] for column in spec.columns if len(column.path) > 1}
    for name, value in extra.items():
        if name in objects and isinstance(value, dict):
            row.setdefault(name, {}).update(value)
        else:
            row[name] = value


def essence(spec: TableSpec, row: dict[str, Any]) -> dict[str, Any]:
    """A row without what null stands for, its readable timestamps as instants."""
    stamps = {column.name for column in spec.columns if column.type == "timestamp" and column.path}
    objects = {column.path[0] for column in spec.columns if len(column.path) > 1}
    lists = {item.path[-1] for item in spec.children}
    kept: dict[str, Any] = {}
    for name, value in row.items():
        if name in stamps and isinstance(value, str):
            value = parse_instant(value) or value
        if name in objects and isinstance(value, dict):
            value = {k: v for k, v in value.items() if not (k in lists and v in ([], None)) and v is not None}
        if value in (None, {}) or (name in lists and value == []):
            continue
        kept[name] = value
    return kept


@given(rows_of(TICKETS))
def test_any_ticket_can_be_put_together_again(rows: list[dict[str, Any]]) -> None:
    """Columns, action items and `extra` of a ticket hold every value that the row brought."""
    assert [essence(TICKETS, row) for row in rebuild(TICKETS, rows)] == [essence(TICKETS, row) for row in rows]


@given(rows_of(REPORTS))
def test_any_report_can_be_put_together_again(rows: list[dict[str, Any]]) -> None:
    """The same for reports, whose list stands inside an object."""
    assert [essence(REPORTS, row) for row in rebuild(REPORTS, rows)] == [essence(REPORTS, row) for row in rows]


@pytest.mark.parametrize(
    ("name", "value", "column", "typed"),
    [
        ("title", 5, "title", None),
        ("title", ["a"], "title", None),
        ("title", True, "title", None),
        ("updated_at", "yesterday", "updated_at", None),
        ("updated_at", 1738578600, "updated_at", None),
        ("created_at", "2025-02-03", "created_at", None),
        ("estimated_impact", "about 5 %", "estimated_impact__metric", None),
        ("notes", "half \ud800 pair", "notes", None),
    ],
)
def test_misfits_are_null_and_kept_under_their_name(name: str, value: Any, column: str, typed: Any) -> None:
    """A value of the wrong type leaves its column null and stands verbatim in `extra`."""
    converted = convert_rows(TICKETS, [{"id": "tkt_1", name: value}])
    [record] = converted.tables["tickets"].to_pylist()
    assert record[column] is typed
    kept = json.loads(record["extra"])[name]
    assert kept == (value.replace("\ud800", "\\ud800") if isinstance(value, str) else value)
    assert converted.undeclared == {name: 1}


@pytest.mark.parametrize(
    ("value", "typed", "kept"),
    [
        (5, 5.0, None),
        (2.5, 2.5, None),
        (2**53, 2.0**53, None),
        (2**53 + 1, None, 2**53 + 1),
        (True, None, True),
        ("5", None, "5"),
        (None, None, None),
    ],
)
def test_doubles_take_numbers_that_they_hold(value: Any, typed: float | None, kept: Any) -> None:
    """A double column takes JSON numbers without loss, and nothing else."""
    row = {"id": "tkt_1", "estimated_impact": {"confidence": value}}
    [record] = convert_rows(TICKETS, [row]).tables["tickets"].to_pylist()
    assert record["estimated_impact__confidence"] == typed
    extra = None if kept is None else {"estimated_impact": {"confidence": kept}}
    assert (json.loads(record["extra"]) if record["extra"] else None) == extra


@pytest.mark.parametrize(
    ("value", "typed"), [(3, 3), (3.0, 3), (3.5, None), (2**63, None), (-(2**63), -(2**63)), (False, None)]
)
def test_bigints_take_whole_numbers_of_64_bits(value: Any, typed: int | None) -> None:
    """An integer column takes whole numbers that it holds; others are kept in `extra`."""
    [record] = convert_rows(REPORTS, [{"id": "r", "summary": {"total_queries": value}}]).tables["reports"].to_pylist()
    assert record["summary__total_queries"] == typed
    assert (record["extra"] is None) == (typed is not None)


def test_lists_become_rows_and_empty_ones_tombstones() -> None:
    """Each element is a row with its place; an empty or missing list is one tombstone."""
    rows: list[dict[str, Any]] = [
        {"id": "a", "action_items": ["x", None, 5]},
        {"id": "b", "action_items": []},
        {"id": "c"},
    ]
    table = convert_rows(TICKETS, rows).tables["tickets__action_items"]
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("a", 0, "x", None),
        ("a", 1, None, None),
        ("a", 2, None, None),
        ("b", None, None, True),
        ("c", None, None, True),
    ]


def test_number_for_a_key_is_kept_both_ways() -> None:
    """A numeric id becomes the key's text, and stands in `extra` as it came."""
    [record] = convert_rows(RESOURCE_TABLES["warehouses"], [{"id": 7}]).tables["warehouses"].to_pylist()
    assert (record["id"], record["extra"]) == ("7", '{"id":7}')


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ["x"]}, {"id": "\ud800"}])
def test_row_without_key_is_an_error(row: dict[str, Any]) -> None:
    """A row that cannot be told from others is refused, not loaded twice."""
    with pytest.raises(ContractError, match="no key"):
        convert_rows(TICKETS, [row])


@given(VALUES)
def test_json_survives_reading_and_writing(value: Any) -> None:
    """Any JSON value is the same after it was written and read, whatever the size of its integers."""
    text = dump_json({"value": value})
    assert text is not None
    assert parse_json(text.encode()) == {"value": value}


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**25, 0.1234567890123456789]
)
def test_long_numbers_are_read_to_the_last_digit(number: float) -> None:
    """Whatever its length, a number of the API is the number in `extra` and in JSON columns."""
    body = json.dumps({"a": [number], "b": number}).encode()
    assert parse_json(body) == {"a": [number], "b": number}
    assert type(parse_json(body)["b"]) is type(number)


def test_number_without_measure_is_kept_as_text() -> None:
    """An integer longer than Python reads does not spoil its page."""
    assert parse_json(b'{"n":' + b"9" * 5000 + b"}") == {"n": "9" * 5000}


def test_newest_version_of_a_key_wins_in_a_chunk() -> None:
    """Of several versions the newest stays, with its own list; at equal age the one that was read last."""
    builder = ChunkBuilder(TICKETS)
    old, new = "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.5Z"
    builder.add([{"id": "a", "updated_at": new, "action_items": ["new"]}, {"id": "b", "title": "first"}])
    builder.build(None)
    builder.add([{"id": "a", "updated_at": new, "action_items": ["new"]}, {"id": "b", "title": "first"}])
    builder.add([{"id": "a", "updated_at": old, "action_items": ["old", "older"]}, {"id": "b", "title": "second"}])
    chunk = builder.build({"mark": 1}, last=True)
    assert chunk.tables["tickets"].select(["id", "title"]).to_pylist() == [
        {"id": "a", "title": None},
        {"id": "b", "title": "second"},
    ]
    assert chunk.tables["tickets__action_items"]["value"].to_pylist() == ["new", None]
    assert (chunk.rows, chunk.state, chunk.last, builder.rows) == (2, {"mark": 1}, True, 0)


DATES = st.sampled_from(
    ["2025-02-03", "0000-01-01", "0001-01-01", "9999-12-31", "2024-02-30", "1969-12-31", "2025-W05-1"]
)
TIMES = st.sampled_from(["10:30:00", "24:00:00", "23:59:60", "10:30", "10", "10:30:00,5", "10.5", "", "103000"])
FRACTIONS = st.just("") | st.integers(0, 10**9).map(lambda digits: f".{digits}")
OFFSETS = st.sampled_from(["Z", "+00:00", "-00:00", "+02:00", "+0000", "+00", "", "z", " Z", "ZZ"])
STAMPS = st.tuples(DATES, st.sampled_from("T tX"), TIMES, FRACTIONS, OFFSETS).map("".join)


@given(st.lists(STAMPS | st.none() | TEXTS, min_size=1, max_size=3))
def test_timestamps_are_read_alike_alone_and_together(stamps: list[str | None]) -> None:
    """Whether a column is read in one step or value by value, each instant is `parse_instant`'s."""
    rows = [{"id": str(place), "created_at": stamp} for place, stamp in enumerate(stamps)]
    table = convert_rows(TICKETS, rows).tables["tickets"]
    assert table["created_at"].to_pylist() == [parse_instant(stamp) for stamp in stamps]


def test_only_the_newest_of_repeated_keys_keeps_its_list() -> None:
    """Of rows with one key, over two batches, the newest version's elements are kept and the others' dropped."""
    builder = ChunkBuilder(TICKETS)
    old = [{"id": f"t{n}", "updated_at": "2025-01-01T00:00:00Z", "action_items": [f"old {n}"]} for n in range(2_001)]
    new = {"id": "t7", "updated_at": "2025-01-02T00:00:00Z", "action_items": ["new", "newer"]}
    builder.add(old)
    builder.add([new, {"id": "t8", "updated_at": "2024-12-31T00:00:00Z", "action_items": ["older"]}])
    chunk = builder.build(None)
    items = chunk.tables["tickets__action_items"].to_pylist()
    kept = [f"old {n}" for n in range(2_001) if n != 7]
    assert [item["value"] for item in items] == [*kept, "new", "newer"]
    assert (chunk.rows, chunk.tables["tickets"]["id"].to_pylist()[-1]) == (2_001, "t7")


def test_a_chunk_of_long_texts_is_full_early() -> None:
    """By rows or by bytes, whichever comes first, a chunk is enough; a new one begins empty."""
    builder = ChunkBuilder(TICKETS)
    builder.add([{"id": str(number), "description": "x" * 10_000} for number in range(2_000)])
    assert builder.is_full(15_000)
    builder.build(None)
    builder.add([{"id": str(number)} for number in range(2_000)])
    assert not builder.is_full(15_000)
    assert builder.is_full(2_000)
