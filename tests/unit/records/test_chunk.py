"""Chunks: how many rows are held as Python objects, and when a chunk is full."""

from __future__ import annotations

from typing import Any

import pytest

from cogny_source.records import chunk
from cogny_source.records.chunk import ChunkBuilder, count_characters
from cogny_source.records.convert import convert_rows
from cogny_source.sandbox import World
from cogny_source.schema import TICKETS


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were turned into Arrow at a time."""
    found: list[int] = []
    convert = convert_rows

    def watch(spec: Any, rows: Any) -> Any:
        found.append(len(rows))
        return convert(spec, rows)

    monkeypatch.setattr(chunk, "convert_rows", watch)
    return found


def make_rows(count: int, **values: Any) -> list[dict[str, Any]]:
    """Tickets with some values."""
    return [{**row, **values} for row in World(seed=5, tickets=count).rows("tickets")]


@pytest.mark.parametrize("values", [{"description": "x" * 1_000_000}, {"supporting_data": {"a": ["x" * 1_000_000]}}])
def test_long_rows_are_converted_few_at_a_time(values: dict[str, Any], batches: list[int]) -> None:
    """Whether the length is in a text or nested, and also within one page; each row is there."""
    builder = ChunkBuilder(TICKETS)
    builder.add(make_rows(12, **values))
    assert builder.is_full(10_000) is False
    assert max(batches) <= 5
    built = builder.build(None)
    assert built.rows == 12
    assert sorted(built.tables["tickets"]["id"].to_pylist()) == sorted(row["id"] for row in make_rows(12))


def test_short_rows_are_converted_many_at_a_time(batches: list[int]) -> None:
    """As before."""
    builder = ChunkBuilder(TICKETS)
    rows = make_rows(1_000)
    for page in range(10):
        builder.add(rows[page * 100 : (page + 1) * 100])
    assert batches == [500, 500]


def test_rows_that_wait_count_for_a_full_chunk(batches: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is full by what is read, not only by what is turned into Arrow."""
    monkeypatch.setattr(chunk, "CHUNK_BYTES", 1_000_000)
    builder = ChunkBuilder(TICKETS)
    builder.add(make_rows(2, description="x" * 600_000))
    assert batches == []
    assert builder.is_full(10_000)


def test_characters_are_counted_wherever_they_are() -> None:
    """Numbers and names of members are left out."""
    assert count_characters({"a": "12", "b": ["3", {"c": "4567", "d": 1.5}], "e": None}) == 7
