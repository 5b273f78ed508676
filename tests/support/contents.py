"""What the tables of contents must hold, worked out without the connector's code, and syncs that fetch contents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cogny_source import sync
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.answers import Answer, ApiError
from cogny_source.sandbox.api import Request
from cogny_source.sandbox.rows import report_content
from tests.support.syncs import make_pipeline, settings_for
from tests.support.truth import IMPACT, Ask, canonical, instant

Rows = list[tuple[Any, ...]]

BIRTH = datetime.now(UTC).replace(microsecond=0)

SECTION, INSIGHT = ("title", "content"), ("type", "content", "confidence")
RECOMMENDATION = ("priority", "title", "description", "effort")
QUERIES = {
    "report_contents": (
        "SELECT report_id, report_created_at, report_updated_at, status, total_queries, total_insights,"
        " generation_time_seconds FROM report_contents ORDER BY 1",
        (),
    ),
    "report_sections": (
        "SELECT report_id, position, title, content, visualizations, queries FROM report_sections ORDER BY 1, 2",
        (4, 5),
    ),
    "report_insights": (
        "SELECT report_id, section_position, position, type, content, confidence, data FROM report_insights"
        " ORDER BY 1, 2, 3",
        (6,),
    ),
    "report_recommendations": (
        f"SELECT report_id, position, {', '.join(RECOMMENDATION)},"
        f" {', '.join(f'estimated_impact__{name}' for name in IMPACT)} FROM report_recommendations ORDER BY 1, 2",
        (),
    ),
    "report_recommendations__action_items": (
        "SELECT report_id, recommendation_position, position, value FROM report_recommendations__action_items"
        " ORDER BY 1, 2, 3",
        (),
    ),
}


def read_contents(ask: Ask) -> dict[str, Rows]:
    """The rows of each table of contents, JSON made canonical."""
    found: dict[str, Rows] = {}
    for table, (query, as_json) in QUERIES.items():
        found[table] = [
            tuple(
                canonical(json.loads(value)) if place in as_json and value is not None else value
                for place, value in enumerate(row)
            )
            for row in ask(query)
        ]
    return found


def tell_contents(world: World, reports: list[dict[str, Any]]) -> dict[str, Rows]:
    """The rows of each table for the contents of some reports."""
    rows: dict[str, Rows] = {table: [] for table in QUERIES}
    for report in reports:
        key, content = report["id"], report_content(world.seed, report)
        told = content["metadata"]
        rows["report_contents"].append(
            (
                key,
                instant(report["created_at"]),
                instant(report["updated_at"]),
                "fetched",
                told["total_queries"],
                told["total_insights"],
                told["generation_time_seconds"],
            )
        )
        for place, section in enumerate(content["sections"]):
            texts = (section[name] for name in SECTION)
            jsons = (canonical(section[name]) for name in ("visualizations", "queries"))
            rows["report_sections"].append((key, place, *texts, *jsons))
            rows["report_insights"] += [
                (key, place, at, *(insight[name] for name in INSIGHT), canonical(insight["data"]))
                for at, insight in enumerate(section["insights"])
            ]
        for place, advice in enumerate(content["recommendations"]):
            impact = (advice["estimated_impact"][name] for name in IMPACT)
            rows["report_recommendations"].append((key, place, *(advice[name] for name in RECOMMENDATION), *impact))
            rows["report_recommendations__action_items"] += [
                (key, place, at, text) for at, text in enumerate(advice["action_items"])
            ]
    return {table: sorted(found, key=lambda row: row[:3]) for table, found in rows.items()}


def list_completed(world: World) -> list[dict[str, Any]]:
    """The completed reports of a world."""
    return [row for row in world.rows("reports") if row["status"] == "completed"]


def assert_contents(ask: Ask, world: World, reports: list[dict[str, Any]] | None = None) -> None:
    """Every cell of the tables of contents equals what the sandbox serves for some reports, or all completed ones."""
    expected = tell_contents(world, list_completed(world) if reports is None else reports)
    found = read_contents(ask)
    for table, rows in expected.items():
        assert sorted(found[table], key=lambda row: row[:3]) == rows, table


@contextmanager
def refusing(sandbox: SandboxServer, keys: Sequence[str], status: int) -> Iterator[None]:
    """Answer requests for the contents of some reports with an error, within the block."""
    answer = sandbox.api._content

    def refuse(request: Request, identity: str) -> Answer:
        if identity not in keys:
            return answer(request, identity)
        raise ApiError(status, "QUERY_FAILED", "the content is broken")

    sandbox.api._content = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        sandbox.api._content = answer  # type: ignore[method-assign]


def sync_contents(sandbox: SandboxServer, folder: Path, **settings: Any) -> tuple[ResourceRun, int]:
    """A sync from a fresh working directory's point of view; the record of the contents, and requests for them."""
    asked = count_fetches(sandbox)
    result = sync(make_pipeline(folder), settings_for(sandbox, **{"contents": "all", **settings}))
    return record_of_contents(result), count_fetches(sandbox) - asked


def make_world() -> World:
    """A small world whose clock stands still; the same each time."""
    return World(seed=7, tickets=2, reports=26, warehouses=1, now=BIRTH)


@cache
def _load_once() -> bytes:
    with SandboxServer(make_world()) as sandbox, TemporaryDirectory() as folder:
        sync(make_pipeline(Path(folder)), settings_for(sandbox, contents="all"))
        return Path(folder, "cogny.duckdb").read_bytes()


def load_contents(folder: Path) -> None:
    """Put the database there into which all contents of `make_world` were synced."""
    (folder / "cogny.duckdb").write_bytes(_load_once())


def record_of_contents(result: SyncResult) -> ResourceRun:
    """The record of the contents."""
    [found] = [one for one in result.resources if one.resource == "report_contents"]
    return found


def count_fetches(sandbox: SandboxServer) -> int:
    """Requests for contents so far."""
    return sum(record.path.endswith("/content") for record in sandbox.requests)


def complete_one(sandbox: SandboxServer) -> str:
    """Let a report be completed now; its key."""
    fresh = str(next(row for row in sandbox.world.rows("reports") if row["status"] == "failed")["id"])
    sandbox.world.patch("reports", fresh, status="completed", completed_at=sandbox.world.now.isoformat())
    return fresh


def find_newest(sandbox: SandboxServer, count: int) -> list[str]:
    """The completed reports that changed last."""
    rows = sorted(list_completed(sandbox.world), key=lambda row: datetime.fromisoformat(row["updated_at"]))
    return [row["id"] for row in rows[-count:]]
