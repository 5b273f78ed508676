"""What the tables must hold, worked out from the sandbox's rows without the connector's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cogny_source.sandbox import World

Ask = Callable[[str], list[tuple[Any, ...]]]

TICKET_TEXTS = ("warehouse_id", "title", "description", "category", "priority", "status", "assignee", "effort", "notes")
IMPACT = ("metric", "current_value", "projected_value", "increase_percentage", "confidence")
COLUMNS = {
    "tickets": [
        "id", *TICKET_TEXTS, *(f"estimated_impact__{name}" for name in IMPACT),
        "supporting_data", "url", "created_at", "updated_at",
    ],
    "reports": [
        "id", "warehouse_id", "status", "prompt", "summary__total_queries", "summary__total_insights", "metadata",
        "url", "stream_url", "created_at", "updated_at", "completed_at", "estimated_completion",
    ],
    "warehouses": ["id", "name", "type", "status"],
}  # fmt: skip
# Child table to its parent and the column that names it.
LISTS = {
    "tickets__action_items": ("tickets", "ticket_id"),
    "reports__summary__key_findings": ("reports", "report_id"),
}


def instant(text: str | None) -> datetime | None:
    """A timestamp of the API as an aware UTC datetime."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def ticket(row: dict[str, Any]) -> tuple[Any, ...]:
    """A ticket's columns from `id` to `updated_at`."""
    impact = row["estimated_impact"] or {}
    return (
        row["id"],
        *(row[name] for name in TICKET_TEXTS),
        *(impact.get(name) for name in IMPACT),
        canonical(row["supporting_data"]),
        row["url"],
        instant(row["created_at"]),
        instant(row["updated_at"]),
    )


def report(row: dict[str, Any]) -> tuple[Any, ...]:
    """A report's columns from `id` to `estimated_completion`."""
    summary = row["summary"] or {}
    return (
        *(row[name] for name in ("id", "warehouse_id", "status", "prompt")),
        summary.get("total_queries"),
        summary.get("total_insights"),
        canonical(row["metadata"]),
        row["url"],
        row["stream_url"],
        *(instant(row[name]) for name in ("created_at", "updated_at", "completed_at", "estimated_completion")),
    )


def canonical(value: object) -> str | None:
    """JSON with sorted keys, for comparing what two writers wrote."""
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Gone:
    """What the tables held of rows that the API no longer lists, before the sync that marks them.

    Attributes:
        rows: Table to each such row's cells, by id.
        lists: Child table to all cells of such rows.
        marks: Table to each such row's `deleted_at`, by id.
    """

    rows: dict[str, dict[str, tuple[Any, ...]]]
    lists: dict[str, list[tuple[Any, ...]]]
    marks: dict[str, dict[str, datetime | None]]


def read_gone(ask: Ask, world: World) -> Gone:
    """What the tables hold of rows that the API no longer lists."""
    rows, lists, marks = {}, {}, {}
    for name, columns in COLUMNS.items():
        listed = {row["id"] for row in world.rows(name)}
        found = [row for row in read(ask, name, [*columns, "deleted_at"]) if row[0] not in listed]
        rows[name] = {row[0]: row[:-1] for row in found}
        marks[name] = {row[0]: row[-1] for row in found}
    for child, (parent, column) in LISTS.items():
        lists[child] = [row for row in read_list(ask, child, column) if row[0] in rows[parent]]
    return Gone(rows, lists, marks)


def assert_exact(ask: Ask, world: World, *, but: Gone | None = None, marks: bool = True) -> None:
    """Every cell of every table equals the sandbox's truth, and no row is marked deleted.

    Args:
        ask: Asks the database.
        world: The truth.
        but: Rows that the API no longer lists; `assert_marked` looks at them.
        marks: Whether marks are looked at; not where the truth holds deleted rows too.
    """
    shown = {"tickets": ticket, "reports": report, "warehouses": warehouse}
    for name, columns in COLUMNS.items():
        gone = but.rows[name] if but else {}
        live = [row for row in read(ask, name, [*columns, "deleted_at"]) if row[0] not in gone]
        assert [row[:-1] for row in live] == sorted(shown[name](row) for row in world.rows(name)), name
        assert not marks or {row[0] for row in live if row[-1] is not None} == set(), name
    for child, (parent, column) in LISTS.items():
        gone = but.rows[parent] if but else {}
        truth = sorted(item for row in world.rows(parent) for item in items(child, row))
        assert [row for row in read_list(ask, child, column) if row[0] not in gone] == truth, child


def assert_marked(ask: Ask, world: World, gone: Gone, since: datetime, until: datetime) -> None:
    """Rows that the API no longer lists are marked between two instants, and are else as they were; all else is exact.

    Args:
        ask: Asks the database.
        world: The truth.
        gone: What the tables held of such rows before the sync that marked them.
        since: The server's clock before that sync; a row that was marked earlier keeps its mark.
        until: The server's clock after it.
    """
    assert_exact(ask, world, but=gone)
    after = read_gone(ask, world)
    assert after.rows == gone.rows
    assert after.lists == gone.lists
    for name, marks in after.marks.items():
        # A server without `meta.timestamp` tells whole seconds.
        late = {key: mark for key, mark in marks.items() if mark is None or not second(since) <= mark <= until}
        assert late == {key: mark for key, mark in gone.marks[name].items() if mark is not None}, name


def second(instant: datetime) -> datetime:
    """An instant without its fraction of a second."""
    return instant.replace(microsecond=0)


def warehouse(row: dict[str, Any]) -> tuple[Any, ...]:
    """A warehouse's columns from `id` to `status`."""
    return tuple(row[name] for name in COLUMNS["warehouses"])


def items(child: str, row: dict[str, Any]) -> list[tuple[str, int, str]]:
    """A row's cells in a child table."""
    texts = row["action_items"] if child == "tickets__action_items" else (row["summary"] or {}).get("key_findings")
    return [(row["id"], place, text) for place, text in enumerate(texts or [])]


def read_list(ask: Ask, child: str, parent_column: str) -> list[tuple[Any, ...]]:
    """A child table's cells."""
    return ask(f"SELECT {parent_column}, position, value FROM {child} ORDER BY 1, 2")


def read(ask: Ask, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """A table's rows by key, JSON made canonical."""
    as_json = {"supporting_data", "metadata"}
    rows = ask(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")
    return [
        tuple(
            canonical(json.loads(value)) if name in as_json and value is not None else value
            for name, value in zip(columns, row, strict=True)
        )
        for row in rows
    ]
