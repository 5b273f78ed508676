"""Listing: pages as they are needed, without rows that were not asked for, and past cursors that expire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cogny_source.client.listing import fits
from cogny_source.errors import BadRequest, PaginationError
from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Request
from cogny_source.testing import SandboxCogny

Open = Callable[..., SandboxCogny]


def test_pages_are_requested_when_they_are_needed(open_client: Open) -> None:
    """And total_count with the first of them."""
    client = open_client(tickets=250)
    listing = client.tickets.list()
    assert client.sandbox.requests == []
    rows = iter(listing)
    next(rows)
    assert (len(client.sandbox.requests), listing.total_count) == (1, 250)
    assert [ticket.id for ticket in listing] == [row["id"] for row in client.sandbox.rows("tickets")]
    assert len(client.sandbox.requests) == 4
    assert [len(page.rows) for page in listing.pages()] == [100, 100, 50]
    assert client.tickets.list(status="open").total_count == len(list(client.tickets.list(status="open")))


@pytest.mark.parametrize("ignored", [[], ["*"]], ids=["heeded", "ignored"])
def test_filters_hold_even_where_the_api_ignores_them(open_client: Open, ignored: list[str]) -> None:
    """Otherwise a bulk change would strike tickets that nobody named."""
    client = open_client(ignored_filters={"tickets": ignored, "reports": ignored})
    rows = client.sandbox.rows("tickets")
    wanted = [row["id"] for row in rows if (row["status"], row["priority"]) == ("open", "high")]
    assert [ticket.id for ticket in client.tickets.list(status="open", priority="high")] == wanted
    middle = datetime(2025, 1, 1, tzinfo=UTC)
    for name, newer in (("created_after", True), ("created_before", False)):
        listed = {ticket.id for ticket in client.tickets.list(**{name: middle})}  # type: ignore[arg-type]
        assert listed == {row["id"] for row in rows if (datetime.fromisoformat(row["created_at"]) > middle) == newer}
    done = [row["id"] for row in client.sandbox.rows("reports") if row["status"] == "completed"]
    assert [report.id for report in client.reports.list(status="completed")] == done


@pytest.mark.parametrize(
    ("row", "filters", "expected"),
    [
        ({"status": "open"}, {"status": "open"}, True),
        ({"status": "closed"}, {"status": "open"}, False),
        ({"status": None}, {"status": "open"}, False),
        ({}, {"status": "open"}, True),
        ({"created_at": "2025-02-03T00:00:00Z"}, {"created_after": "2025-02-03T00:00:00.000000Z"}, True),
        ({"created_at": "2025-02-03T00:00:00Z"}, {"created_before": "2025-02-03T00:00:00.000000Z"}, True),
        ({"created_at": "2025-02-02T23:59:59Z"}, {"created_after": "2025-02-03T00:00:00.000000Z"}, False),
        ({"updated_at": "2025-02-03T00:00:01Z"}, {"updated_before": "2025-02-03T00:00:00.000000Z"}, False),
        ({"updated_at": "yesterday"}, {"updated_before": "2025-02-03T00:00:00.000000Z"}, True),
        ({}, {"sort": "-created_at"}, True),
    ],
)
def test_what_fits(row: dict[str, Any], filters: dict[str, str], expected: bool) -> None:
    """What a row does not tell cannot leave it out."""
    assert fits(row, filters) is expected


@pytest.mark.parametrize("refused", [{3}, {2, 5}])
def test_an_expired_cursor_begins_the_list_anew(
    open_client: Open, monkeypatch: pytest.MonkeyPatch, refused: set[int]
) -> None:
    """As the work on a page took too long; each row comes once all the same."""
    client = open_client(tickets=350)
    answer = client.sandbox._api.answer
    expired = Answer(400, b'{"success":false,"error":{"code":"INVALID_PARAMETER","message":"cursor expired"}}')

    def expire(request: Request) -> Answer:
        answered = answer(request)
        return expired if len(client.sandbox.requests) in refused else answered

    monkeypatch.setattr(client.sandbox._api, "answer", expire)
    assert [ticket.id for ticket in client.tickets.list()] == [row["id"] for row in client.sandbox.rows("tickets")]
    assert len(client.sandbox.requests) > 4


def test_a_cursor_that_never_lives_is_an_error(open_client: Open) -> None:
    """The list ends, instead of being read for ever."""
    client = open_client(tickets=250, cursor_lifetime_pages=0)
    with pytest.raises(BadRequest):
        list(client.tickets.list())
    assert len(client.sandbox.requests) <= 4


def test_rows_that_move_come_once(open_client: Open) -> None:
    """Under a sort by change they would come again."""
    client = open_client(tickets=250, churn_per_page=20)
    ids = [ticket.id for ticket in client.tickets.list(sort="updated_at")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("switch", ["missing_cursor", "repeat_cursor"])
def test_lists_without_an_end(open_client: Open, switch: str) -> None:
    """The guards of the sync hold here too."""
    client = open_client(tickets=250, **{switch: True})
    with pytest.raises(PaginationError):
        list(client.tickets.list())


def test_what_the_api_adds_is_kept(open_client: Open) -> None:
    """And rows that do not fit their declaration are listed all the same."""
    client = open_client(undeclared_fields=True, misfits=0.5, bad_timestamps=0.5, impact_as_string=0.5)
    tickets = list(client.tickets.list())
    assert [ticket.id for ticket in tickets] == [row["id"] for row in client.sandbox.rows("tickets")]
    assert all(ticket.extra["ai_model"] == "growth-3" for ticket in tickets)


def test_dates_are_given_in_each_form(client: SandboxCogny) -> None:
    """A day, an instant, a text."""
    instant = datetime(2025, 1, 1, tzinfo=UTC)
    forms = (instant, instant.date(), "2025-01-01", "2025-01-01T01:00:00+01:00")
    lists = [[ticket.id for ticket in client.tickets.list(created_after=form)] for form in forms]
    assert lists == [lists[0]] * 4
    assert 0 < len(lists[0]) < 200
