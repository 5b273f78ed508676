"""What the API gives, as typed and frozen objects.

A member that the contract does not declare, or whose value is not of its declared type, stands in `extra`; the whole
answer stands in `raw`. Instants are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

TicketStatus = Literal["open", "in_progress", "completed", "dismissed"]
Priority = Literal["critical", "high", "medium", "low"]
Category = Literal[
    "conversion_optimization",
    "funnel_optimization",
    "user_engagement",
    "revenue_growth",
    "retention",
    "acquisition",
    "technical_performance",
    "data_quality",
]
DismissalReason = Literal[
    "not_applicable", "already_implemented", "insufficient_impact", "resource_constraints", "other"
]
ReportStatus = Literal["queued", "processing", "completed", "failed", "cancelled"]
ExportFormat = Literal["csv", "json", "xlsx", "jira", "asana", "linear"]
EventName = Literal[
    "report.completed",
    "report.failed",
    "ticket.created",
    "ticket.updated",
    "warehouse.connected",
    "warehouse.sync_completed",
]

COMPLETED = "completed"
FINISHED = (COMPLETED, "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What all have in common.

    Attributes:
        extra: Members that are not declared, and values that are not of the declared type.
        raw: The whole, as the API gave it.
        request_id: The id by which the API's operators find the request.
    """

    extra: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    request_id: str | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedImpact(Model):
    """The impact that a ticket is expected to have; values in the metric's own unit, the increase in per cent."""

    metric: str | None = None
    current_value: float | None = None
    projected_value: float | None = None
    increase_percentage: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(Model):
    """A growth ticket: one finding, its expected impact and what to do about it."""

    id: str
    warehouse_id: str | None = None
    title: str | None = None
    description: str | None = None
    category: str | None = None
    priority: str | None = None
    status: str | None = None
    estimated_impact: EstimatedImpact | None = None
    effort: str | None = None
    action_items: tuple[str, ...] = ()
    supporting_data: Mapping[str, Any] = field(default_factory=dict)
    assignee: str | None = None
    notes: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary(Model):
    """What a completed report found, in brief."""

    total_queries: int | None = None
    total_insights: int | None = None
    key_findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Model):
    """A report that was asked for with a prompt, and how far it is."""

    id: str
    warehouse_id: str | None = None
    status: str | None = None
    prompt: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_completion: datetime | None = None
    url: str | None = None
    stream_url: str | None = None
    summary: ReportSummary | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_completed(self) -> bool:
        """Whether its content can be read."""
        return self.status == COMPLETED

    @property
    def is_finished(self) -> bool:
        """Whether it is completed, failed or cancelled, and changes no more."""
        return self.status in FINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight(Model):
    """One insight of a section."""

    type: str | None = None
    content: str | None = None
    confidence: float | None = None
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Model):
    """One section of a report's content; visualizations and queries are of no published form."""

    title: str | None = None
    content: str | None = None
    insights: tuple[Insight, ...] = ()
    visualizations: tuple[Any, ...] = ()
    queries: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation(Model):
    """What a report recommends."""

    priority: str | None = None
    title: str | None = None
    description: str | None = None
    estimated_impact: EstimatedImpact | None = None
    effort: str | None = None
    action_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentMetadata(Model):
    """How a report's content came about."""

    total_queries: int | None = None
    total_insights: int | None = None
    generation_time_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent(Model):
    """The content of a completed report."""

    report_id: str | None = None
    sections: tuple[Section, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    metadata: ContentMetadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation(Model):
    """A report that was cancelled."""

    id: str
    status: str | None = None
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse(Model):
    """A connected data warehouse."""

    id: str
    name: str | None = None
    type: str | None = None
    status: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkUpdate(Model):
    """What a bulk update did."""

    updated_count: int | None = None
    failed_count: int | None = None
    updated_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketStats(Model):
    """Aggregates of the tickets; the API does not publish their names, so that all of them stand in `extra`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Model):
    """A file of tickets that can be downloaded for a while."""

    export_id: str | None = None
    download_url: str | None = None
    expires_at: datetime | None = None
    ticket_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Model):
    """A subscription to events."""

    id: str | None = None
    url: str | None = None
    events: tuple[str, ...] = ()
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent(Model):
    """A delivery of a webhook; deliveries come twice, late and in any order, so that `id` tells a repeated one."""

    id: str
    type: str | None = None
    created_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEvent:
    """One event of a report in the making.

    Attributes:
        type: `status`, `query`, `result`, `insight`, `visualization`, `completed` or `error`.
        data: What came with it; of no published form.
        id: Its id in the stream; None if the stream gives none.
        report: The report, where the event was made from a look at it because the stream had ended.
    """

    type: str
    data: Any = None
    id: str | None = None
    report: Report | None = None

    @property
    def is_last(self) -> bool:
        """Whether no event follows."""
        return self.type in ("completed", "error")
