"""Streams: the making of a report as server-sent events, as they happen."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import orjson

from cogny_source.sandbox.answers import Piece
from cogny_source.sandbox.instants import SECOND
from cogny_source.sandbox.making import STARTED, Making
from cogny_source.sandbox.rows import UNFINISHED, Row, report_content
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.world import World

# What happens when, as shares of the time that a report takes.
_COURSE = (("query", 0.3), ("result", 0.4), ("insight", 0.6), ("visualization", 0.8))

Event = tuple[str, Any]


def stream_report(world: World, making: Making, switches: Switches, identity: str, seen: int) -> Iterator[Piece]:
    """Tell what happens to a report until it is done.

    Args:
        world: Where it is.
        making: The reports in the making.
        switches: How the stream misbehaves.
        identity: The report, which is there.
        seen: The id of the last event that was seen before.
    """
    yield Piece(0.0, b": the making of a report\n\n")
    start = seen if switches.stream_event_ids else 0
    sent = number = 0
    for step in _follow(world, making, identity):
        if isinstance(step, float):
            yield Piece(step, b"")
            continue
        number += 1
        if number <= start:
            continue
        if sent == switches.stream_drops_after_events:
            yield Piece(0.0, None)
        if sent == switches.stream_stalls_after_events:
            yield Piece(switches.stall_seconds, None)
        yield Piece(0.0, _render(step, number if switches.stream_event_ids else None))
        sent += 1


def _follow(world: World, making: Making, identity: str) -> Iterator[float | Event]:
    """The events, and the seconds to wait before them.

    A report that nobody asked for over the API, and that is not done, ends with its status.
    """
    row = _read(world, making, identity)
    yield "status", _status(row, "queued")
    if row["status"] in UNFINISHED and (making.created_at(identity) is None or world.clock is None):
        yield "status", _status(row)
        return
    yield _until(world, making, identity, STARTED)
    yield "status", _status(row, "processing")
    steps = _steps(world.seed, row)
    for name, share in _COURSE:
        yield _until(world, making, identity, share)
        if _read(world, making, identity)["status"] == "cancelled":
            break
        yield name, steps[name]
    yield _until(world, making, identity, 1.0)
    row = _read(world, making, identity)
    if row["status"] == "completed":
        yield "completed", row
    else:
        yield "error", _status(row) | {"code": "QUERY_FAILED", "message": f"the report is {row['status']}"}


def _status(row: Row, status: str | None = None) -> dict[str, Any]:
    return {"report_id": row["id"], "status": status or row["status"]}


def _until(world: World, making: Making, identity: str, share: float) -> float:
    """Seconds until a share of the time is over; 0 if the report is done."""
    with world.lock:
        if making.created_at(identity) is None or _read(world, making, identity)["status"] not in UNFINISHED:
            return 0.0
        return max(0.0, (making.due(identity, share) - world.observe()) / SECOND)


def _read(world: World, making: Making, identity: str) -> Row:
    with world.lock:
        making.settle()
        return world.table("reports").records[identity].row()


def _steps(seed: int, row: Row) -> dict[str, Any]:
    content = report_content(seed, row | {"summary": None})
    rng = Random(f"{seed}:steps:{row['id']}")
    return {
        "query": {"sql": "SELECT day, count(*)\nFROM events\nGROUP BY day"},
        "result": {"rows": rng.randrange(1000)},
        "insight": {"type": "trend", "content": "Mobile converts at half the rate.", "confidence": 0.8},
        "visualization": {"type": "bar", "series": [1, 2.5, None], "of": content["report_id"]},
    }


def _render(event: Event, number: int | None) -> bytes:
    name, data = event
    lines = [] if number is None else [f"id: {number}"]
    # Indented, so that the data has several lines.
    texts = orjson.dumps(data, option=orjson.OPT_INDENT_2).decode().split("\n")
    return "\n".join([*lines, f"event: {name}", *(f"data: {text}" for text in texts), "", ""]).encode()
