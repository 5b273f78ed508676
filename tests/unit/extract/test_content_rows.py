"""Rows about requests for contents: what an earlier content leaves in a row whose later version cannot be fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from cogny_source.extract.content_rows import (
    WITHOUT_CONTENT,
    Attempt,
    ReportVersion,
    find_reports,
    finish_chunk,
    keep_earlier,
)
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import REPORT_CONTENTS

THEN, NOW = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
CREATED, FIRST, SECOND = (1_700_000_000_000_000 + number for number in range(3))
CONTENT = {"sections": [{"title": "One", "insights": [{"content": "up"}]}], "metadata": {"total_queries": 3}, "x": 1}
SCHEMA = arrow_schema(REPORT_CONTENTS.columns)


def attempt(status: str, version: int, at: datetime, key: str = "rpt_a") -> Attempt:
    """A request for a version of a report."""
    return Attempt(ReportVersion(key, CREATED, version), at, status, None if status == "fetched" else {"status": 404})


def build(*attempts: Attempt) -> Chunk:
    """A finished chunk."""
    builder = ChunkBuilder(REPORT_CONTENTS)
    for one in attempts:
        builder.add([{**(CONTENT if one.status == "fetched" else {}), "report_id": one.report.key}])
    return finish_chunk(builder.build(None), attempts)


def held(chunk: Chunk) -> list[pa.Table]:
    """The rows of a chunk as a destination returns them."""
    table = chunk.tables["report_contents"]
    return [table.append_column("_dlt_load_id", pa.array(["17.5"] * len(table)))]


def rows(chunk: Chunk) -> list[dict[str, Any]]:
    """The rows of the contents."""
    found: list[dict[str, Any]] = chunk.tables["report_contents"].to_pylist()
    return found


def micros(instant: datetime | None) -> int | None:
    """Microseconds since 1970."""
    return None if instant is None else round(instant.timestamp() * 1_000_000)


@pytest.mark.parametrize("status", ["missing", "too_large", "failed"])
def test_failure_keeps_what_is_held(status: str) -> None:
    """The row says which version the content is, which one was asked for last, and why that one is not there."""
    before = build(attempt("fetched", FIRST, THEN))
    chunk = keep_earlier(build(attempt(status, SECOND, NOW)), held(before))
    [row], [old] = rows(chunk), rows(before)
    same = ("report_id", "report_updated_at", "fetched_at", "total_queries", "total_insights", "extra")
    assert {name: row[name] for name in same} == {name: old[name] for name in same}
    assert (micros(row["report_updated_at"]), micros(row["attempted_updated_at"])) == (FIRST, SECOND)
    assert (row["status"], row["attempted_at"], row["attempts"], row["error"]) == (status, NOW, 1, '{"status":404}')
    assert row["extra"] == '{"x":1}'
    assert chunk.tables["report_contents"].schema == SCHEMA
    assert all(len(chunk.tables[child.name]) == 0 for child in REPORT_CONTENTS.child_tables)


def test_attempts_are_counted_for_each_version() -> None:
    """From one again once the report changes, or after a content."""
    chunk = build(attempt("missing", FIRST, THEN))
    for expected in (2, 3, 4):
        chunk = keep_earlier(build(attempt("failed", FIRST, NOW)), held(chunk))
        assert rows(chunk)[0]["attempts"] == expected
    changed = keep_earlier(build(attempt("failed", SECOND, NOW)), held(chunk))
    assert rows(changed)[0]["attempts"] == 1
    again = keep_earlier(build(attempt("failed", FIRST, NOW)), held(build(attempt("fetched", FIRST, THEN))))
    assert (rows(again)[0]["attempts"], micros(rows(again)[0]["report_updated_at"])) == (1, FIRST)


def test_other_rows_of_a_chunk_are_as_they_were() -> None:
    """Fetched ones, and failures of reports of which nothing is held."""
    chunk = build(attempt("fetched", SECOND, NOW, "a"), attempt("failed", SECOND, NOW, "b"), attempt("missing", 5, NOW))
    assert find_reports(chunk, WITHOUT_CONTENT) == ["b", "rpt_a"]
    before = build(attempt("fetched", FIRST, THEN))
    kept = keep_earlier(chunk, held(before))
    assert rows(kept)[:2] == rows(chunk)[:2]
    assert (kept.rows, [row["report_id"] for row in rows(kept)]) == (3, ["a", "b", "rpt_a"])
    assert kept.tables["report_sections"]["report_id"].to_pylist() == ["a"]
    assert keep_earlier(chunk, []) is chunk
