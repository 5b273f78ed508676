"""What the tables must hold, worked out from the sandbox's rows without the connector's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cogny_source.sandbox import World

Ask = Callable[[str], list[tuple[Any, ...]]]

TICKET_TEXTS = ("warehouse_id", "title", "description", "category", "priority", "status", "assignee", "effort", "notes")
IMPACT = ("metric", "current_value", "projected_value", "increase_percentage", "confidence")


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


def assert_exact(ask: Ask, world: World, *, listed_only: bool = False) -> None:
    """Every cell of every table equals the sandbox's truth.

    Args:
        ask: Asks the database.
        world: The sandbox's.
        listed_only: Leave out rows that are marked deleted, and their children.
    """
    if listed_only:
        for table in ("tickets", "reports", "warehouses"):
            listed = {row["id"] for row in world.rows(table)}
            marked = {key for (key,) in ask(f"SELECT id FROM {table} WHERE deleted_at IS NOT NULL")}
            assert not listed & marked, table
        ask = _without_deleted(ask)
    tickets, reports, warehouses = (world.rows(name) for name in ("tickets", "reports", "warehouses"))
    columns = [
        "id", *TICKET_TEXTS, *(f"estimated_impact__{name}" for name in IMPACT),
        "supporting_data", "url", "created_at", "updated_at",
    ]  # fmt: skip
    assert read(ask, "tickets", columns) == sorted(ticket(row) for row in tickets)
    columns = [
        "id", "warehouse_id", "status", "prompt", "summary__total_queries", "summary__total_insights", "metadata",
        "url", "stream_url", "created_at", "updated_at", "completed_at", "estimated_completion",
    ]  # fmt: skip
    assert read(ask, "reports", columns) == sorted(report(row) for row in reports)
    assert read(ask, "warehouses", ["id", "name", "type", "status"]) == sorted(
        tuple(row[name] for name in ("id", "name", "type", "status")) for row in warehouses
    )
    items = [(row["id"], i, text) for row in tickets for i, text in enumerate(row["action_items"] or [])]
    assert ask("SELECT ticket_id, position, value FROM tickets__action_items ORDER BY ALL") == sorted(items)
    findings = [
        (row["id"], i, text)
        for row in reports
        for i, text in enumerate((row["summary"] or {}).get("key_findings") or [])
    ]
    assert ask("SELECT report_id, position, value FROM reports__summary__key_findings ORDER BY ALL") == sorted(findings)


def _without_deleted(ask: Ask) -> Ask:
    def query(sql: str) -> list[tuple[Any, ...]]:
        for table in ("tickets", "reports", "warehouses"):
            sql = sql.replace(f" FROM {table} ", f" FROM (SELECT * FROM {table} WHERE deleted_at IS NULL) ")
        for child, parent, key in (
            ("tickets__action_items", "tickets", "ticket_id"),
            ("reports__summary__key_findings", "reports", "report_id"),
        ):
            live = f"(SELECT c.* FROM {child} c JOIN {parent} p ON p.id = c.{key} WHERE p.deleted_at IS NULL)"
            sql = sql.replace(f" FROM {child} ", f" FROM {live} ")
        return ask(sql)

    return query


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
