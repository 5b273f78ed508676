"""The whole API in one client: `from cogny_source import Cogny`. It needs neither dlt nor Arrow."""

from cogny_source.client.arguments import ReportRequest
from cogny_source.client.cogny import Cogny
from cogny_source.client.errors import CreationIncomplete, InvalidSignature, ReportFailed, WaitTimedOut
from cogny_source.client.listing import Listing, ListPage
from cogny_source.client.models import (
    BulkUpdate,
    Cancellation,
    EstimatedImpact,
    Export,
    Report,
    ReportContent,
    ReportEvent,
    Ticket,
    TicketStats,
    Warehouse,
    Webhook,
    WebhookEvent,
)
from cogny_source.client.webhooks import unwrap
from cogny_source.errors import CognyError, InvalidArgument, OutcomeUnknown

__all__ = [
    "BulkUpdate",
    "Cancellation",
    "Cogny",
    "CognyError",
    "CreationIncomplete",
    "EstimatedImpact",
    "Export",
    "InvalidArgument",
    "InvalidSignature",
    "ListPage",
    "Listing",
    "OutcomeUnknown",
    "Report",
    "ReportContent",
    "ReportEvent",
    "ReportFailed",
    "ReportRequest",
    "Ticket",
    "TicketStats",
    "WaitTimedOut",
    "Warehouse",
    "Webhook",
    "WebhookEvent",
    "unwrap",
]
