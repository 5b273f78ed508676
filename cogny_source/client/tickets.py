"""`client.tickets`: tickets are listed, changed, dismissed, counted and exported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any

from cogny_source.api.calls import check_id
from cogny_source.client.arguments import (
    KEEP,
    Keep,
    When,
    check_choice,
    check_ids,
    make_changes,
    make_dismissal,
    make_export,
    make_filters,
)
from cogny_source.client.context import Context
from cogny_source.client.downloading import download
from cogny_source.client.listing import Listing
from cogny_source.client.looking import settle
from cogny_source.client.models import (
    BulkUpdate,
    Category,
    DismissalReason,
    Export,
    ExportFormat,
    Priority,
    Ticket,
    TicketStats,
    TicketStatus,
)
from cogny_source.client.reading import read_model
from cogny_source.errors import ContractError, InvalidArgument, NotFound

PATH, READ, WRITE = "/tickets", "tickets:read", "tickets:write"
# A bulk update of more tickets whose answer was lost is not looked up: each takes a request.
MOST_LOOKED_UP = 20
AGAIN = "make the same change again; it changes nothing where it is made"


class Tickets:
    """The tickets of an account.

    Args:
        context: Sends the requests.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(
        self,
        *,
        status: TicketStatus | None = None,
        priority: Priority | None = None,
        category: Category | None = None,
        warehouse_id: str | None = None,
        created_after: When | None = None,
        created_before: When | None = None,
        updated_after: When | None = None,
        sort: str | None = None,
    ) -> Listing[Ticket]:
        """The tickets, page by page as they are needed; what the API lists in spite of a filter is left out.

        Args:
            status: Those in this status alone.
            priority: Those of this priority alone.
            category: Those of this category alone.
            warehouse_id: Those of this warehouse alone.
            created_after: Those created then or later.
            created_before: Those created then or earlier.
            updated_after: Those changed then or later.
            sort: `created_at`, `updated_at`, `priority` or `status`, with a `-` before it for descending order. An API
                may ignore it.

        Raises:
            InvalidArgument: If a filter is not possible.
        """
        filters = _make_filters(status, priority, category, warehouse_id, created_after, created_before, updated_after)
        return Listing(self._context, Ticket, PATH, READ, {**filters, **make_filters(sort=sort)})

    def get(self, ticket_id: str) -> Ticket:
        """A ticket as it is now.

        Raises:
            NotFound: If there is none with this id.
        """
        return self._get(ticket_id, inf)

    def update(
        self,
        ticket_id: str,
        *,
        status: TicketStatus | None = None,
        priority: Priority | None = None,
        assignee: str | Keep | None = KEEP,
        notes: str | Keep | None = KEEP,
        action_items: Sequence[str] | None = None,
    ) -> Ticket:
        """Change a ticket; what is not named stays. None clears the assignee and the notes.

        Raises:
            InvalidArgument: If nothing is to be changed, or a change is not possible; nothing was sent.
            OutcomeUnknown: If the answer was lost and the ticket is not as asked.
            NotFound: If there is no such ticket.
        """
        path = _path(ticket_id)
        changes = make_changes(status, priority, assignee, notes, action_items)
        return self._change(ticket_id, "PATCH", path, changes, lambda ticket: has_changes(ticket, changes))

    def dismiss(self, ticket_id: str, reason: DismissalReason, notes: str | None = None) -> Ticket:
        """Dismiss a ticket.

        Args:
            ticket_id: The ticket.
            reason: `not_applicable`, `already_implemented`, `insufficient_impact`, `resource_constraints` or `other`.
            notes: A remark.

        Raises:
            InvalidArgument: If the reason is none of these; nothing was sent.
            OutcomeUnknown: If the answer was lost and the ticket is not dismissed.
            NotFound: If there is no such ticket.
        """
        path, body = _path(ticket_id), make_dismissal(reason, notes)
        wanted = {"status": "dismissed"} | ({} if notes is None else {"notes": notes})
        return self._change(ticket_id, "POST", f"{path}/dismiss", body, lambda ticket: has_changes(ticket, wanted))

    def bulk_update(
        self,
        ticket_ids: Iterable[str],
        *,
        status: TicketStatus | None = None,
        priority: Priority | None = None,
        assignee: str | Keep | None = KEEP,
        notes: str | Keep | None = KEEP,
        action_items: Sequence[str] | None = None,
    ) -> BulkUpdate:
        """Make the same change in several tickets, with one request; ten such requests a minute are allowed.

        Raises:
            InvalidArgument: If there is no id, or nothing is to be changed; nothing was sent.
            OutcomeUnknown: If the answer was lost, and more than twenty tickets were named or not all are as asked.
        """
        ids = check_ids(ticket_ids, "ticket_ids")
        changes = make_changes(status, priority, assignee, notes, action_items)
        body = {"ticket_ids": ids, "updates": changes}

        def write() -> BulkUpdate:
            answer = self._context.write("POST", f"{PATH}/bulk-update", WRITE, body, batch=True)
            return read_model(BulkUpdate, answer.data, answer.request_id)

        def find(until: float) -> BulkUpdate | None:
            return self._look_up(ids, changes, until)

        return settle(self._context, write, find if len(ids) <= MOST_LOOKED_UP else None, AGAIN)

    def stats(self) -> TicketStats:
        """Aggregates of all tickets, in `extra`: the API does not publish their names."""
        answer = self._context.get(f"{PATH}/stats", READ)
        return read_model(TicketStats, answer.data, answer.request_id)

    def export(
        self,
        format: ExportFormat = "csv",
        *,
        status: TicketStatus | None = None,
        priority: Priority | None = None,
        category: Category | None = None,
        warehouse_id: str | None = None,
        created_after: When | None = None,
        created_before: When | None = None,
        updated_after: When | None = None,
        include_fields: Sequence[str] | None = None,
    ) -> Export:
        """Write tickets into a file, which `download` reads.

        Args:
            format: `csv`, `json`, `xlsx`, `jira`, `asana` or `linear`.
            status: As in `list`, like the following.
            priority: The priority.
            category: The category.
            warehouse_id: The warehouse.
            created_after: The earliest creation.
            created_before: The latest creation.
            updated_after: The earliest change.
            include_fields: The fields; all if None.

        Raises:
            InvalidArgument: If an argument is not possible; nothing was sent.
            OutcomeUnknown: If the answer was lost.
        """
        filters = _make_filters(status, priority, category, warehouse_id, created_after, created_before, updated_after)
        body = make_export(format, filters, include_fields)

        def write() -> Export:
            answer = self._context.write("POST", f"{PATH}/export", READ, body, batch=True)
            return read_model(Export, answer.data, answer.request_id)

        return settle(self._context, write, None, "export again; an export changes no ticket")

    def download(self, export: Export) -> bytes:
        """The file of an export. The key is not sent to another server than the API's.

        Raises:
            InvalidArgument: If it is no export.
            NotFound: If the file has expired.
            ContractError: If the API gave no URL that is safe to call.
        """
        if not isinstance(export, Export):
            raise InvalidArgument("export", "must be what export gave")
        if export.download_url is None:
            raise ContractError("the API gave no download_url", request_id=export.request_id)
        return download(self._context, export.download_url)

    def _change(
        self, ticket_id: str, method: Any, path: str, body: dict[str, Any], is_made: Callable[[Ticket], bool]
    ) -> Ticket:
        def write() -> Ticket:
            answer = self._context.write(method, path, WRITE, body)
            return read_model(Ticket, answer.data, answer.request_id)

        def find(until: float) -> Ticket | None:
            ticket = self._get(ticket_id, until)
            return ticket if is_made(ticket) else None

        return settle(self._context, write, find, AGAIN)

    def _get(self, ticket_id: str, until: float) -> Ticket:
        answer = self._context.get(_path(ticket_id), READ, until=until)
        return read_model(Ticket, answer.data, answer.request_id)

    def _look_up(self, ids: Sequence[str], changes: Mapping[str, Any], until: float) -> BulkUpdate | None:
        """What a bulk update did, ticket by ticket; None if one of them is not as asked."""
        updated = []
        for identity in ids:
            try:
                ticket = self._get(identity, until)
            except NotFound:
                continue
            if not has_changes(ticket, changes):
                return None
            updated.append(identity)
        counts = {"updated_count": len(updated), "failed_count": len(ids) - len(updated)}
        return read_model(BulkUpdate, {**counts, "updated_ids": updated}) if updated else None


def has_changes(ticket: Ticket, changes: Mapping[str, Any]) -> bool:
    """Whether a ticket is as a change wants it."""
    return all(ticket.raw.get(name) == value for name, value in changes.items())


def _make_filters(
    status: TicketStatus | None,
    priority: Priority | None,
    category: Category | None,
    warehouse_id: str | None,
    created_after: When | None,
    created_before: When | None,
    updated_after: When | None,
) -> dict[str, str]:
    if status is not None:
        check_choice(status, "status", TicketStatus)
    return make_filters(
        status=status,
        priority=priority,
        category=category,
        warehouse_id=warehouse_id,
        created_after=created_after,
        created_before=created_before,
        updated_after=updated_after,
    )


def _path(ticket_id: str) -> str:
    return f"{PATH}/{check_id(ticket_id, 'ticket_id')}"
