"""Arguments: what the API would refuse is refused here, by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cogny_source.client import ReportRequest
from cogny_source.errors import InvalidArgument
from cogny_source.testing import SandboxCogny

Act = Callable[[Any], object]
WAREHOUSE = "wh_1"
HOOK = "https://example.com/hook"

WRONG: list[tuple[str, Act]] = [
    ("prompt", lambda c: c.reports.create(WAREHOUSE, "x" * 2001)),
    ("prompt", lambda c: c.reports.create(WAREHOUSE, "")),
    ("prompt", lambda c: c.reports.create(WAREHOUSE, " \n")),
    ("prompt", lambda c: c.reports.create(WAREHOUSE, None)),
    ("warehouse_id", lambda c: c.reports.create("wh/1", "x")),
    ("warehouse_id", lambda c: c.reports.create("", "x")),
    ("date_range", lambda c: c.reports.create(WAREHOUSE, "x", date_range=("2025-02-02", "2025-02-01"))),
    ("date_range", lambda c: c.reports.create(WAREHOUSE, "x", date_range=("2025-02-02",))),
    ("date_range", lambda c: c.reports.create(WAREHOUSE, "x", date_range={"start": "2025-02-02"})),
    ("date_range", lambda c: c.reports.create(WAREHOUSE, "x", date_range=("yesterday", "today"))),
    ("dimensions", lambda c: c.reports.create(WAREHOUSE, "x", dimensions="country")),
    ("focus_areas", lambda c: c.reports.create(WAREHOUSE, "x", focus_areas=[1])),
    ("max_iterations", lambda c: c.reports.create(WAREHOUSE, "x", max_iterations=101)),
    ("max_iterations", lambda c: c.reports.create(WAREHOUSE, "x", max_iterations=0)),
    ("max_iterations", lambda c: c.reports.create(WAREHOUSE, "x", max_iterations=True)),
    ("metadata", lambda c: c.reports.create(WAREHOUSE, "x", metadata={"at": {1, 2}})),
    ("metadata", lambda c: c.reports.create(WAREHOUSE, "x", metadata={"cogny_request": "mine"})),
    ("token", lambda c: c.reports.create(WAREHOUSE, "x", token="")),
    ("prompt", lambda c: c.reports.create_many([ReportRequest(warehouse_id=WAREHOUSE, prompt="")])),
    ("report_id", lambda c: c.reports.get("rpt_1/../../webhooks")),
    ("report_id", lambda c: c.reports.content("rpt_1/content")),
    ("report_id", lambda c: c.reports.cancel("")),
    ("report_id", lambda c: c.reports.wait("rpt?1")),
    ("report", lambda c: c.reports.wait(7)),
    ("timeout", lambda c: c.reports.wait("rpt_1", timeout=0)),
    ("timeout", lambda c: c.reports.wait_all(["rpt_1"], timeout=float("nan"))),
    ("report_id", lambda c: list(c.reports.stream("a b"))),
    ("status", lambda c: c.reports.list(status="open")),
    ("created_after", lambda c: c.reports.list(created_after="yesterday")),
    ("created_before", lambda c: c.reports.list(created_before=7)),
    ("status", lambda c: c.tickets.list(status="queued")),
    ("priority", lambda c: c.tickets.list(priority="urgent")),
    ("category", lambda c: c.tickets.list(category="x")),
    ("warehouse_id", lambda c: c.tickets.list(warehouse_id="wh 1")),
    ("sort", lambda c: c.tickets.list(sort="title")),
    ("ticket_id", lambda c: c.tickets.get("a/b")),
    ("changes", lambda c: c.tickets.update("tkt_1")),
    ("status", lambda c: c.tickets.update("tkt_1", status="done")),
    ("assignee", lambda c: c.tickets.update("tkt_1", assignee=" ")),
    ("action_items", lambda c: c.tickets.update("tkt_1", action_items="x")),
    ("reason", lambda c: c.tickets.dismiss("tkt_1", "bored")),
    ("notes", lambda c: c.tickets.dismiss("tkt_1", "other", notes="")),
    ("ticket_ids", lambda c: c.tickets.bulk_update([], status="open")),
    ("ticket_ids", lambda c: c.tickets.bulk_update("tkt_1", status="open")),
    ("ticket_ids", lambda c: c.tickets.bulk_update(["tkt_1", "a/b"], status="open")),
    ("changes", lambda c: c.tickets.bulk_update(["tkt_1"])),
    ("format", lambda c: c.tickets.export("pdf")),
    ("include_fields", lambda c: c.tickets.export("csv", include_fields="id")),
    ("url", lambda c: c.webhooks.create("http://example.com", ["report.completed"], "s")),
    ("url", lambda c: c.webhooks.create("https://[x", ["report.completed"], "s")),
    ("events", lambda c: c.webhooks.create(HOOK, [], "s")),
    ("events", lambda c: c.webhooks.create(HOOK, ["all"], "s")),
    ("events", lambda c: c.webhooks.create(HOOK, "report.completed", "s")),
    ("secret", lambda c: c.webhooks.create(HOOK, ["report.completed"], "")),
    # Texts that no JSON can carry.
    ("prompt", lambda c: c.reports.create(WAREHOUSE, "a\ud800b")),
    ("token", lambda c: c.reports.create(WAREHOUSE, "x", token="\udce9")),
    ("dimensions", lambda c: c.reports.create(WAREHOUSE, "x", dimensions=["\ud800"])),
    ("metadata", lambda c: c.reports.create(WAREHOUSE, "x", metadata={"a": "\ud800"})),
    ("notes", lambda c: c.tickets.update("tkt_1", notes="\ud800")),
    ("secret", lambda c: c.webhooks.create(HOOK, ["report.completed"], "\udce9")),
    # Numbers that JSON lacks.
    ("metadata", lambda c: c.reports.create(WAREHOUSE, "x", metadata={"a": [{"b": float("nan")}]})),
    ("metadata", lambda c: c.reports.create(WAREHOUSE, "x", metadata={"a": (1, float("-inf"))})),
    # Values of another type, and what has no order.
    ("language", lambda c: c.reports.create(WAREHOUSE, "x", language=5)),
    ("include_sql_queries", lambda c: c.reports.create(WAREHOUSE, "x", include_sql_queries="yes")),
    ("dimensions", lambda c: c.reports.create(WAREHOUSE, "x", dimensions={"a", "b"})),
    ("action_items", lambda c: c.tickets.update("tkt_1", action_items={"a": 1})),
    ("action_items", lambda c: c.tickets.update("tkt_1", action_items=7)),
    ("events", lambda c: c.webhooks.create(HOOK, {"report.completed"}, "s")),
    ("reports", lambda c: c.reports.wait_all("rpt_1")),
    ("reports", lambda c: c.reports.wait_all(7)),
    ("requests", lambda c: c.reports.create_many("x")),
]


@pytest.mark.parametrize(("name", "act"), WRONG, ids=[f"{number}-{name}" for number, (name, _) in enumerate(WRONG)])
def test_what_is_not_possible_is_refused_by_name(client: SandboxCogny, name: str, act: Act) -> None:
    """Nothing is sent, and the message begins with the argument."""
    with pytest.raises(InvalidArgument) as caught:
        act(client)
    assert caught.value.name == name
    assert str(caught.value).startswith(f"{name} ")
    assert client.sandbox.requests == []


def test_a_report_is_asked_for_as_the_contract_says() -> None:
    """Context and options are objects of their own, and hold what was given alone."""
    request = ReportRequest(
        warehouse_id=WAREHOUSE,
        prompt="x" * 2000,
        date_range=(date(2025, 2, 1), datetime(2025, 2, 3, 10, tzinfo=UTC)),
        dimensions=("country",),
        include_visualizations=False,
        max_iterations=100,
        metadata={"by": "me"},
    )
    assert request.make_body() == {
        "warehouse_id": WAREHOUSE,
        "prompt": "x" * 2000,
        "context": {
            "date_range": {"start": "2025-02-01", "end": "2025-02-03T10:00:00+00:00"},
            "dimensions": ["country"],
        },
        "options": {"include_visualizations": False, "max_iterations": 100},
        "metadata": {"by": "me"},
    }
    assert ReportRequest(warehouse_id=WAREHOUSE, prompt="x").make_body() == {"warehouse_id": WAREHOUSE, "prompt": "x"}


def test_an_iterator_is_read_once(client: SandboxCogny) -> None:
    """A check that used it up would leave nothing, and clear what was to be set."""
    request = ReportRequest(warehouse_id=WAREHOUSE, prompt="x", dimensions=iter(["a", "b"]))  # type: ignore[arg-type]
    assert request.make_body()["context"] == {"dimensions": ["a", "b"]}
    ticket = next(iter(client.tickets.list()))
    items: Any = (text for text in ("first", "second"))
    assert client.tickets.update(ticket.id, action_items=items).action_items == ("first", "second")


def test_metadata_is_sent_as_json_has_it() -> None:
    """Instants become texts, and tuples lists, before the report is compared with what comes back."""
    given = {"at": datetime(2025, 2, 3, tzinfo=UTC), "of": (1, 2.5, None)}
    request = ReportRequest(warehouse_id=WAREHOUSE, prompt="x", metadata=given)
    assert request.make_body()["metadata"] == {"at": "2025-02-03T00:00:00+00:00", "of": [1, 2.5, None]}
