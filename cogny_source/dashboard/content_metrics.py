"""Content metrics: what the newest reports say, recommendations by priority and effort, insights by confidence.

Contents of deleted reports are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cogny_source.dashboard.ticket_metrics import EFFORTS, PRIORITIES, TITLE_CHARACTERS
from cogny_source.destinations.portable_sql import NOT_GIVEN, OTHER, SECOND, Inquiry, one_of

SAYINGS_SHOWN = 6
# Lower bounds of the classes of confidence but the first.
CONFIDENCES = (0.2, 0.4, 0.6, 0.8)
FETCHED = (
    "SELECT r.id, r.prompt, r.completed_at FROM report_contents AS c JOIN reports AS r ON r.id = c.report_id"
    " WHERE c.fetched_at IS NOT NULL AND r.deleted_at IS NULL"
)


@dataclass(frozen=True)
class Saying:
    """What a report says.

    Attributes:
        prompt: What it was asked.
        age_seconds: The time since it was completed; None if unknown.
        insights: The number of its insights.
        recommendations: The number of its recommendations.
        insight: Its insight of the highest confidence; empty without one.
        confidence: The confidence in that; None if not given.
    """

    prompt: str
    age_seconds: float | None
    insights: int
    recommendations: int
    insight: str
    confidence: float | None


@dataclass(frozen=True)
class Contents:
    """The metrics.

    Attributes:
        newest: What the reports say that were completed last.
        advice: The number of recommendations by priority and effort, as in `EFFORTS`, other and none.
        confidences: The number of insights by confidence, as in `CONFIDENCES`, and of those without one.
    """

    newest: tuple[Saying, ...]
    advice: dict[str, tuple[int, ...]]
    confidences: tuple[int, ...]


def read_contents(inquiry: Inquiry) -> Contents | None:
    """Query the metrics; None if no content was ever fetched."""
    newest = _read_newest(inquiry)
    return Contents(newest, _read_advice(inquiry), _read_confidences(inquiry)) if newest else None


def _read_newest(inquiry: Inquiry) -> tuple[Saying, ...]:
    completed = inquiry.micros("n.completed_at")
    newest = f"SELECT * FROM ({FETCHED}) AS f ORDER BY completed_at DESC, id LIMIT {SAYINGS_SHOWN}"
    asked = inquiry.query_or_empty(
        f"SELECT n.id AS report, substr(n.prompt, 1, {TITLE_CHARACTERS + 1}) AS prompt, {completed} AS completed_at"
        f" FROM ({newest}) AS n ORDER BY completed_at DESC, report"
    )
    insights = inquiry.query_or_empty(
        "SELECT report, total, insight, confidence FROM (SELECT i.report_id AS report,"
        f" count(*) OVER (PARTITION BY i.report_id) AS total, substr(i.content, 1, {TITLE_CHARACTERS + 1}) AS insight,"
        " i.confidence AS confidence, row_number() OVER (PARTITION BY i.report_id ORDER BY coalesce(i.confidence, -1)"
        " DESC, i.section_position, i.position) AS place"
        f" FROM report_insights AS i JOIN ({newest}) AS n ON n.id = i.report_id) AS ranked WHERE place = 1"
    )
    advice = inquiry.query_or_empty(
        "SELECT a.report_id AS report, count(*) AS total FROM report_recommendations AS a"
        f" JOIN ({newest}) AS n ON n.id = a.report_id GROUP BY a.report_id"
    )
    best, advised = {report: rest for report, *rest in insights}, dict(advice)
    return tuple(
        Saying(
            prompt or "",
            None if completed_at is None else (inquiry.now - completed_at) / SECOND,
            best.get(report, (0,))[0],
            advised.get(report, 0),
            (best[report][1] or "") if report in best else "",
            best[report][2] if report in best else None,
        )
        for report, prompt, completed_at in asked
    )


def _read_advice(inquiry: Inquiry) -> dict[str, tuple[int, ...]]:
    found = inquiry.query_or_empty(
        f"SELECT {one_of('a.priority', PRIORITIES)} AS kind, {one_of('a.effort', EFFORTS)} AS effort_kind,"
        f" count(*) AS total FROM report_recommendations AS a JOIN ({FETCHED}) AS f ON f.id = a.report_id"
        " GROUP BY kind, effort_kind"
    )
    counts = {(kind, effort): total for kind, effort, total in found}
    kinds = [kind for kind in (*PRIORITIES, OTHER, NOT_GIVEN) if any(kind == known for known, _ in counts)]
    efforts = (*EFFORTS, OTHER, NOT_GIVEN)
    return {kind: tuple(counts.get((kind, effort), 0) for effort in efforts) for kind in kinds}


def _read_confidences(inquiry: Inquiry) -> tuple[int, ...]:
    classes = " ".join(f"WHEN i.confidence < {bound} THEN {place}" for place, bound in enumerate(CONFIDENCES))
    found = inquiry.query_or_empty(
        f"SELECT CASE WHEN i.confidence IS NULL THEN {len(CONFIDENCES) + 1} {classes} ELSE {len(CONFIDENCES)} END"
        f" AS place, count(*) AS total FROM report_insights AS i JOIN ({FETCHED}) AS f ON f.id = i.report_id"
        " GROUP BY place"
    )
    counts = Counter(dict(found))
    return tuple(counts[place] for place in range(len(CONFIDENCES) + 2))
