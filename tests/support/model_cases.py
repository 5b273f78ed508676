"""Odd lives of tickets, reports and recommendations, each as the smallest case of its kind."""

from __future__ import annotations

from typing import Any

from tests.support.models import Tables, at, join, sync_run, ticket


def report(identity: str, status: str, *versions: tuple[str, str], **values: Any) -> Tables:
    """A report that was requested at ten, and the versions that syncs have seen."""
    row = {"id": identity, "warehouse_id": "wh_1", "status": status, "created_at": at("2026-10-01 10:00"), **values}
    row.setdefault("updated_at", at("2026-10-01 10:30"))
    history = [{"id": identity, "updated_at": at(began), "status": told} for began, told in versions]
    return {"reports": [row], "reports_history": history}


LIVES = join(
    ticket("plain", "2026-10-01"),
    ticket("closed", "2026-10-01", ("2026-10-01", "open"), ("2026-10-03", "in_progress"), ("2026-10-05", "completed")),
    ticket(
        "reopened",
        "2026-10-01",
        ("2026-10-01", "open"),
        ("2026-10-02", "completed"),
        ("2026-10-04", "open"),
        ("2026-10-08", "dismissed"),
        ("2026-10-09", "completed"),
    ),
    ticket("deleted", "2026-10-01", ("2026-10-01", "open"), deleted_at=at("2026-10-06")),
    ticket("deleted before its change", "2026-10-01", ("2026-10-07", "open"), deleted_at=at("2026-10-06")),
    ticket("unseen beginning", "2026-10-01", ("2026-10-06", "completed")),
    ticket("without history", "2026-10-01", ("2026-10-06", "dismissed"), seen=False),
    ticket("unknown status", "2026-10-01", ("2026-10-01", "on_hold"), ("2026-10-02", None)),
    ticket("undated change", "2026-10-01", ("2026-10-01", "open"), (None, "completed")),
    ticket("undated", None, (None, "open"), seen=False),
    ticket("never created", None, ("2026-10-03", "open")),
    ticket("born closed", "2026-10-01", ("2026-10-01", "completed")),
    ticket("changed before it was created", "2026-10-09", ("2026-10-08", "open"), ("2026-10-08 12:00", "in_progress")),
    ticket("later than known", "2026-10-01", ("2026-10-01", "open"), ("2026-10-12", "completed")),
    sync_run("tickets", "2026-10-05"),
    sync_run("tickets", "2026-10-11"),
)
# The API went back to an earlier version.
LIVES["tickets_history"].append(
    {**LIVES["tickets_history"][0], "id": "plain", "updated_at": at("2026-10-09"), "status": "completed"}
)
REPORTS = join(
    report(
        "done",
        "completed",
        ("2026-10-01 10:00", "queued"),
        ("2026-10-01 10:05", "processing"),
        completed_at=at("2026-10-01 10:20"),
        estimated_completion=at("2026-10-01 10:15"),
        summary__total_insights=3,
    ),
    report("failed", "failed", ("2026-10-01 10:30", "failed")),
    report("odd", "completed", completed_at=at("2026-10-01 09:00")),
    report("waiting", "queued"),
    {"reports__summary__key_findings": [{"report_id": "done", "position": place, "value": "x"} for place in (0, 1)]},
    sync_run("reports", "2026-10-01 11:00"),
)
RECOMMENDATIONS = join(
    report("rpt_1", "completed", completed_at=at("2026-10-01 10:20")),
    report("rpt_2", "completed", completed_at=at("2026-10-01 10:20")),
    {
        "report_contents": [{"report_id": "rpt_1", "fetched_at": at("2026-10-01"), "status": "fetched"}],
        "report_recommendations": [
            {
                "report_id": "rpt_1",
                "position": 0,
                "title": "Show prices – early!",
                "estimated_impact__metric": "churn",
            },
            {"report_id": "rpt_1", "position": 1, "title": "Same"},
            {"report_id": "rpt_1", "position": 2, "title": "same"},
        ],
        "report_recommendations__action_items": [
            {"report_id": "rpt_1", "recommendation_position": 0, "position": 0, "value": "Do it"}
        ],
    },
    ticket("by data", "2026-10-02 10:20", title="show prices early", supporting_data='{"report_id": "rpt_1"}'),
    ticket("by field", "2026-10-03", title="Same", extra='{"report_id": "rpt_1"}'),
    ticket("by title", "2026-10-03", title="Show prices early"),
    ticket("of another", "2026-10-03", title="Show prices early", extra='{"report_id": "rpt_9"}'),
    sync_run("tickets", "2026-10-04"),
)
