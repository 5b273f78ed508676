"""The rows about requests for contents of reports: what came of each, beside the content that is held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.records.chunk import Chunk
from cogny_source.records.columns import dump_json
from cogny_source.schema import LOAD_ID, REPORT_CONTENTS

CONTENTS = REPORT_CONTENTS.name
KEY = REPORT_CONTENTS.key
FETCHED, MISSING, TOO_LARGE, FAILED = "fetched", "missing", "too_large", "failed"
WITHOUT_CONTENT = (MISSING, TOO_LARGE, FAILED)
# The columns that tell of the last request; the others are those of the content that is held.
OF_REQUEST = ("report_created_at", "status", "attempted_updated_at", "attempted_at", "attempts", "error")


@dataclass(frozen=True)
class ReportVersion:
    """A version of a report whose content is to be fetched.

    Attributes:
        key: The report's `id`.
        created_at: Its `created_at`, in microseconds since 1970; None if it has none.
        updated_at: Its `updated_at`, likewise.
    """

    key: str
    created_at: int | None
    updated_at: int | None


@dataclass(frozen=True)
class Attempt:
    """A request for the content of a report that is to be recorded.

    Attributes:
        report: The report.
        at: When it was answered (UTC).
        status: `fetched`, `missing`, `too_large` or `failed`.
        error: Why there is no content; None if it was fetched.
    """

    report: ReportVersion
    at: datetime
    status: str
    error: dict[str, Any] | None = None


def finish_chunk(chunk: Chunk, attempts: Sequence[Attempt]) -> Chunk:
    """Fill the columns about the requests, and let a request without a content touch no child row.

    Args:
        chunk: A row for each attempt, in their order.
        attempts: The attempts.
    """
    fetched = [attempt.status == FETCHED for attempt in attempts]
    reports = [attempt.report for attempt in attempts]
    columns = {
        "report_created_at": [report.created_at for report in reports],
        "report_updated_at": [r.updated_at if done else None for r, done in zip(reports, fetched, strict=True)],
        "fetched_at": [a.at if done else None for a, done in zip(attempts, fetched, strict=True)],
        "status": [attempt.status for attempt in attempts],
        "attempted_updated_at": [report.updated_at for report in reports],
        "attempted_at": [attempt.at for attempt in attempts],
        "attempts": [0 if done else 1 for done in fetched],
        "error": [dump_json(attempt.error) for attempt in attempts],
    }
    table = chunk.tables[CONTENTS]
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    failed = pa.array(list_failed(attempts), pa.string())
    tables = {
        child.name: chunk.tables[child.name].filter(
            pc.invert(pc.is_in(chunk.tables[child.name][child.root_key], value_set=failed))
        )
        for child in REPORT_CONTENTS.child_tables
    }
    return replace(chunk, tables={CONTENTS: table, **tables})


def list_failed(attempts: Iterable[Attempt]) -> list[str]:
    """The reports of the attempts that brought no content."""
    return [attempt.report.key for attempt in attempts if attempt.status != FETCHED]


def find_reports(chunk: Chunk, statuses: Collection[str]) -> list[str]:
    """The reports of a finished chunk that have one of some statuses in it."""
    table = chunk.tables[CONTENTS]
    keys: list[str] = table.filter(pc.is_in(table["status"], value_set=pa.array(statuses)))[KEY].to_pylist()
    return keys


def keep_earlier(chunk: Chunk, earlier: Iterable[pa.Table]) -> Chunk:
    """Keep what the destination holds of an earlier content where a request brought none.

    Args:
        chunk: A finished chunk.
        earlier: The destination's rows of the reports without a content.
    """
    held = {row[KEY]: row for table in earlier for row in table.to_pylist()}
    if not held:
        return chunk
    table = chunk.tables[CONTENTS]
    rows = [_keep_row(row, held.get(row[KEY])) for row in table.to_pylist()]
    return replace(chunk, tables={**chunk.tables, CONTENTS: pa.Table.from_pylist(rows, table.schema)})


def _keep_row(row: dict[str, Any], held: dict[str, Any] | None) -> dict[str, Any]:
    if held is None or row["status"] == FETCHED:
        return row
    again = held["status"] != FETCHED and held["attempted_updated_at"] == row["attempted_updated_at"]
    kept = {name: value for name, value in held.items() if name != LOAD_ID.name}
    attempts = (held["attempts"] or 0) + 1 if again else 1
    return {**kept, **{name: row[name] for name in OF_REQUEST}, "attempts": attempts}
