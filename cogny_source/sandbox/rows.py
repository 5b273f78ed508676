"""Rows: how a ticket, a report and a warehouse are made and how they change, as the API shows them."""

from __future__ import annotations

from random import Random
from typing import Any

from cogny_source.sandbox import data
from cogny_source.sandbox.instants import MINUTE, STYLES, format_instant

Row = dict[str, Any]

UNFINISHED = ("queued", "processing")

_NEXT_STATUSES = {
    "open": ("in_progress", "in_progress", "dismissed"),
    "in_progress": ("completed", "completed", "dismissed", "open"),
    "completed": ("open",),
    "dismissed": ("open",),
}


def show(rng: Random, micros: int) -> str:
    """An instant in a randomly drawn form."""
    return format_instant(micros, int(rng.random() * STYLES))


def new_id(rng: Random, prefix: str) -> str:
    """A fresh id such as `tkt_0f3a…`."""
    return f"{prefix}_{rng.getrandbits(48):012x}"


def new_ticket(rng: Random, identity: str, warehouse_id: str, created: int) -> Row:
    """An open ticket, not yet changed."""
    category = data.pick(rng, data.CATEGORIES)
    stamp = show(rng, created)
    return {
        "id": identity,
        "warehouse_id": warehouse_id,
        "title": data.ticket_title(rng, category),
        "description": data.description(rng),
        "category": category,
        "priority": data.pick(rng, data.PRIORITIES),
        "status": "open",
        "estimated_impact": data.impact(rng),
        "effort": data.pick(rng, data.EFFORTS),
        "action_items": data.action_items(rng),
        "supporting_data": data.supporting_data(rng),
        "assignee": data.pick(rng, data.ASSIGNEES),
        "notes": data.note(rng),
        "created_at": stamp,
        "updated_at": stamp,
        "url": f"https://app.cogny.com/tickets/{identity}",
    }


def change_ticket(rng: Random, row: Row, moment: int) -> Row:
    """The ticket after a change: one or two of its parts differ, and `updated_at` is the moment."""
    changed = dict(row)
    for part in rng.sample(("status", "notes", "assignee", "action_items", "estimated_impact"), 1 + rng.getrandbits(1)):
        changed[part] = _changed_part(rng, part, row)
    if changed == row:
        changed["action_items"] = [*row["action_items"], "Check again"]
    changed["updated_at"] = show(rng, moment)
    return changed


def _changed_part(rng: Random, part: str, row: Row) -> Any:
    if part == "status":
        return data.pick(rng, _NEXT_STATUSES.get(row["status"], data.TICKET_STATUSES))
    if part == "notes":
        return data.note(rng)
    if part == "assignee":
        return data.pick(rng, data.ASSIGNEES)
    if part == "estimated_impact":
        return data.impact(rng)
    items = list(row["action_items"])
    return data.pick(rng, ([], items[:-1], [*items, *data.action_items(rng), "Report back"]))


def new_report(rng: Random, identity: str, warehouse_id: str, created: int) -> Row:
    """A queued report."""
    stamp = show(rng, created)
    return {
        "id": identity,
        "warehouse_id": warehouse_id,
        "status": "queued",
        "prompt": data.prompt(rng),
        "created_at": stamp,
        "updated_at": stamp,
        "completed_at": None,
        "estimated_completion": show(rng, created + 10 * MINUTE),
        "url": f"https://app.cogny.com/reports/{identity}",
        "stream_url": f"https://api.cogny.com/v1/reports/{identity}/stream",
        "summary": None,
        "metadata": data.report_metadata(rng),
    }


def turn_report(rng: Random, row: Row, status: str, moment: int) -> Row:
    """The report after it reached a status at a moment."""
    turned = row | {"status": status, "updated_at": show(rng, moment)}
    if status == "processing":
        turned["estimated_completion"] = show(rng, moment + 5 * MINUTE)
    if status == "completed":
        found = data.findings(rng)
        queries = 1 + int(rng.random() * 30)
        turned["completed_at"] = show(rng, moment)
        turned["summary"] = {"total_queries": queries, "total_insights": len(found), "key_findings": found}
    return turned


def change_report(rng: Random, row: Row, moment: int) -> Row:
    """The report one step further; a finished one only gets an entry in its metadata."""
    if row["status"] not in UNFINISHED:
        seen = row["metadata"].get("times_seen", 0) + 1
        return row | {"metadata": row["metadata"] | {"times_seen": seen}, "updated_at": show(rng, moment)}
    return turn_report(rng, row, _next_status(rng, row["status"]), moment)


def _next_status(rng: Random, status: str) -> str:
    draw = rng.random()
    if status == "queued":
        return "processing" if draw < 0.95 else "cancelled"
    return "completed" if draw < 0.75 else "failed" if draw < 0.9 else "cancelled"


def new_warehouse(rng: Random, identity: str, number: int) -> Row:
    """A connected data warehouse; every type occurs."""
    kind = data.WAREHOUSE_TYPES[number % len(data.WAREHOUSE_TYPES)]
    status = "connected" if number == 0 else data.pick(rng, data.WAREHOUSE_STATUSES)
    return {"id": identity, "name": f"{kind}: {data.segment(rng)} №{number}", "type": kind, "status": status}


def report_content(seed: int, report: Row) -> Row:
    """The content of a completed report; the same at every call."""
    rng = Random(f"{seed}:content:{report['id']}")
    summary = report["summary"] or {"total_queries": 0, "total_insights": 0, "key_findings": []}
    sections = [_section(rng, finding) for finding in summary["key_findings"]]
    return {
        "report_id": report["id"],
        "sections": sections,
        "recommendations": [_recommendation(rng) for _ in range(int(rng.random() * 3))],
        "metadata": {
            "total_queries": summary["total_queries"],
            "total_insights": summary["total_insights"],
            "generation_time_seconds": round(20 + rng.random() * 500, 1),
        },
    }


def _section(rng: Random, finding: str) -> Row:
    evidence = data.supporting_data(rng)
    return {
        "title": f"About {data.segment(rng)}",
        "content": data.description(rng),
        "insights": [{"type": "trend", "content": finding, "confidence": round(rng.random(), 2), "data": evidence}],
        "visualizations": [{"type": "bar", "series": [1, 2.5, None]}] if rng.random() < 0.5 else [],
        "queries": [{"sql": "SELECT count(*) FROM events", "rows": int(rng.random() * 1e6)}],
    }


def _recommendation(rng: Random) -> Row:
    return {
        "priority": data.pick(rng, data.PRIORITIES),
        "title": data.ticket_title(rng, data.pick(rng, data.CATEGORIES)),
        "description": data.description(rng),
        "estimated_impact": data.impact(rng),
        "effort": data.pick(rng, data.EFFORTS[:3]),
        "action_items": data.action_items(rng),
    }
