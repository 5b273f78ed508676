"""What changes and makes something: tickets, reports and webhooks, their limits, and answers that are lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import requests

from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Api, Request
from cogny_source.sandbox.data import PRIORITIES
from cogny_source.sandbox.faults import LOST_ANSWERS

TEST, LIVE, LITE = "sk_test_sandbox", "sk_live_standard_sandbox", "cogny_lite_sandbox"
Ask = Callable[..., Answer]


@pytest.fixture
def api(world: World) -> Api:
    """The API of the small world, without a socket; its first warehouse is connected."""
    return Api(world)


@pytest.fixture
def ask(api: Api) -> Ask:
    """Send a request, as `ask("POST", "/reports", {…})`."""

    def send(method: str, path: str, body: Any = None, key: str = TEST, **headers: str) -> Answer:
        content = b"" if body is None else orjson.dumps(body)
        return api.answer(Request(method, "/v1" + path, headers={"x-api-key": key, **headers}, body=content))

    return send


def data(answer: Answer, status: int = 200) -> Any:
    """What a success holds."""
    assert answer.status == status, answer.body
    return orjson.loads(answer.body)["data"]


def refusal(answer: Answer) -> tuple[int, str, Any]:
    """Status, code and parameter of a refusal."""
    error = orjson.loads(answer.body)["error"]
    return answer.status, error["code"], error["details"].get("parameter")


def wish(world: World, **more: Any) -> dict[str, Any]:
    """A report that can be made."""
    return {"warehouse_id": world.rows("warehouses")[0]["id"], "prompt": "Why?", **more}


def test_update_changes_what_it_names_and_gives_the_ticket(world: World, ask: Ask) -> None:
    """The rest of the ticket stays, but for updated_at."""
    before = world.rows("tickets")[0]
    changes = {"status": "completed", "priority": "low", "assignee": "a", "notes": "b", "action_items": ["c"]}
    row = data(ask("PATCH", f"/tickets/{before['id']}", changes))
    assert row == {**before, **changes, "updated_at": row["updated_at"]}
    assert row["updated_at"] > before["updated_at"]
    assert row in world.rows("tickets")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "body"),
        ([], "body"),
        ({"title": "x"}, "title"),
        ({"status": "done"}, "status"),
        ({"priority": 1}, "priority"),
        ({"action_items": "x"}, "action_items"),
        ({"action_items": [1]}, "action_items"),
        ({"assignee": 7}, "assignee"),
    ],
)
def test_changes_that_make_no_sense_change_nothing(world: World, ask: Ask, body: Any, parameter: str) -> None:
    """They are refused with the parameter's name."""
    before = world.rows("tickets")
    assert refusal(ask("PATCH", f"/tickets/{before[0]['id']}", body)) == (400, "INVALID_PARAMETER", parameter)
    assert world.rows("tickets") == before


def test_dismissal_needs_one_of_the_five_reasons(world: World, ask: Ask) -> None:
    """It sets status and notes."""
    path = f"/tickets/{world.rows('tickets')[0]['id']}/dismiss"
    assert refusal(ask("POST", path, {"reason": "bored"})) == (400, "INVALID_PARAMETER", "reason")
    row = data(ask("POST", path, {"reason": "not_applicable", "notes": "gone"}))
    assert (row["status"], row["notes"]) == ("dismissed", "gone")


def test_bulk_update_counts_what_was_there(world: World, ask: Ask) -> None:
    """Unknown ids are counted as failed, doubled ones once."""
    ids = [row["id"] for row in world.rows("tickets")[:3]]
    body = {"ticket_ids": [*ids, ids[0], "tkt_none"], "updates": {"priority": "critical"}}
    answer = data(ask("POST", "/tickets/bulk-update", body))
    assert answer == {"updated_count": 3, "failed_count": 1, "updated_ids": ids}
    assert [row["priority"] for row in world.rows("tickets")[:3]] == ["critical"] * 3
    for wrong, name in (({"ticket_ids": []}, "ticket_ids"), ({"ticket_ids": ids, "updates": {}}, "updates")):
        assert refusal(ask("POST", "/tickets/bulk-update", wrong)) == (400, "INVALID_PARAMETER", name)


def test_stats_count_every_ticket(world: World, ask: Ask) -> None:
    """Each aggregate sums up to the whole."""
    stats = data(ask("GET", "/tickets/stats"))
    assert stats["total_count"] == 250
    assert set(stats["by_priority"]) == set(PRIORITIES)
    assert [sum(stats[name].values()) for name in ("by_status", "by_priority", "by_category")] == [250] * 3


def test_a_report_is_made_in_time(ask: Ask, world: World) -> None:
    """It is queued, then worked on, then completed, as the clock goes on; each change is stamped later."""
    seconds = [world.now.timestamp()]
    world.clock = lambda: seconds[0]
    row = data(ask("POST", "/reports", wish(world, metadata={"by": "me"})), 201)
    assert (row["status"], row["prompt"], row["metadata"]) == ("queued", "Why?", {"by": "me"})
    statuses, stamps = [], [row["updated_at"]]
    for step in (0.1, 1.0, 3.8, 0.2):
        seconds[0] += step
        row = data(ask("GET", f"/reports/{row['id']}"))
        statuses.append(row["status"])
        stamps.append(row["updated_at"])
    assert statuses == ["queued", "processing", "processing", "completed"]
    assert stamps == sorted(stamps)
    assert row["summary"]["total_queries"] > 0
    assert data(ask("GET", f"/reports/{row['id']}/content"))["report_id"] == row["id"]


def test_some_reports_fail(ask: Ask, api: Api, world: World) -> None:
    """As many as the switch says."""
    api.switches.update({"failing_reports": 1.0, "report_seconds": 0.0})
    row = data(ask("POST", "/reports", wish(world)), 201)
    assert data(ask("GET", f"/reports/{row['id']}"))["status"] == "failed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"warehouse_id": "wh_none"}, (404, "WAREHOUSE_NOT_FOUND", None)),
        ({"warehouse_id": None}, (404, "WAREHOUSE_NOT_FOUND", None)),
        ({"prompt": ""}, (400, "INVALID_PROMPT", None)),
        ({"prompt": "x" * 2001}, (400, "INVALID_PROMPT", None)),
        ({"context": {"date_range": {"start": "2025-02-02", "end": "2025-02-01"}}}, (400, "INVALID_DATE_RANGE", None)),
        ({"context": {"date_range": {"start": "2025-02-02"}}}, (400, "INVALID_DATE_RANGE", None)),
        ({"options": {"max_iterations": 101}}, (400, "INVALID_PARAMETER", "max_iterations")),
        ({"metadata": []}, (400, "INVALID_PARAMETER", "metadata")),
    ],
)
def test_reports_that_cannot_be_made(world: World, ask: Ask, change: dict[str, Any], told: tuple[Any, ...]) -> None:
    """They are refused, and no row appears."""
    assert refusal(ask("POST", "/reports", wish(world) | change)) == told
    assert world.count("reports") == 40


def test_a_warehouse_must_be_connected(world: World, ask: Ask) -> None:
    """Otherwise the report is refused."""
    world.patch("warehouses", world.rows("warehouses")[0]["id"], status="disconnected")
    assert refusal(ask("POST", "/reports", wish(world)))[:2] == (400, "WAREHOUSE_NOT_CONNECTED")


def test_unfinished_reports_are_bounded(world: World, ask: Ask, api: Api) -> None:
    """One more is turned away with 429 until one is finished or cancelled."""
    api.switches.update({"max_unfinished_reports": 2, "retry_after_seconds": 7})
    first = data(ask("POST", "/reports", wish(world)), 201)
    data(ask("POST", "/reports", wish(world)), 201)
    answer = ask("POST", "/reports", wish(world))
    assert (refusal(answer)[:2], answer.headers["Retry-After"]) == ((429, "RATE_LIMIT_EXCEEDED"), "7")
    assert data(ask("DELETE", f"/reports/{first['id']}"))["status"] == "cancelled"
    data(ask("POST", "/reports", wish(world)), 201)


def test_only_unfinished_reports_are_cancelled(world: World, ask: Ask) -> None:
    """A cancelled one stays so."""
    row = data(ask("POST", "/reports", wish(world)), 201)
    cancelled = data(ask("DELETE", f"/reports/{row['id']}"))
    assert list(cancelled) == ["id", "status", "cancelled_at"]
    assert refusal(ask("DELETE", f"/reports/{row['id']}")) == (400, "INVALID_PARAMETER", "id")
    assert data(ask("GET", f"/reports/{row['id']}"))["status"] == "cancelled"


def test_metadata_may_be_dropped_and_rows_be_listed_late(world: World, ask: Ask, api: Api) -> None:
    """The row's own answer is there at once."""
    seconds = [world.now.timestamp()]
    world.clock = lambda: seconds[0]
    api.switches.update({"metadata_dropped": True, "listed_after_seconds": 3.0})
    row = data(ask("POST", "/reports", wish(world, metadata={"token": "x"})), 201)
    assert row["metadata"] == {}

    def listed() -> bool:
        answer = api.answer(Request("GET", "/v1/reports", {"limit": "100"}, {"x-api-key": TEST}))
        return row["id"] in [other["id"] for other in data(answer)]

    assert data(ask("GET", f"/reports/{row['id']}")) == row
    assert not listed()
    seconds[0] += 3
    assert listed()


def test_webhooks_are_subscribed_and_their_secret_is_not_told(ask: Ask) -> None:
    """Any scope that writes is enough."""
    body = {"url": "https://example.com/hook", "events": ["report.completed"], "secret": "s3cret"}
    hook = data(ask("POST", "/webhooks", body), 201)
    assert (hook["url"], hook["events"]) == (body["url"], body["events"])
    assert "secret" not in hook
    assert ask("POST", "/webhooks", body, key="sk_live_reports_only_sandbox").status == 403
    for name, value in (("url", "http://example.com"), ("events", ["all"]), ("secret", "")):
        assert refusal(ask("POST", "/webhooks", body | {name: value})) == (400, "INVALID_PARAMETER", name)


def test_scopes_of_writes(world: World, ask: Ask) -> None:
    """A key that only reads changes nothing."""
    ticket, report = world.rows("tickets")[0]["id"], world.rows("reports")[0]["id"]
    for method, path in (("PATCH", f"/tickets/{ticket}"), ("DELETE", f"/reports/{report}"), ("POST", "/reports")):
        assert ask(method, path, {}, key="sk_live_reports_only_sandbox").status == 403


def test_batches_are_counted_for_themselves(world: World, ask: Ask) -> None:
    """Ten a minute, in headers of their own; other requests are not counted among them."""
    body = {"ticket_ids": [world.rows("tickets")[0]["id"]], "updates": {"priority": "low"}}
    left = [ask("POST", "/tickets/bulk-update", body, key=LIVE).headers["X-RateLimit-Remaining"] for _ in range(10)]
    assert left == [str(number) for number in reversed(range(10))]
    assert ask("POST", "/tickets/export", {"format": "csv"}, key=LIVE).status == 429
    assert ask("GET", "/tickets", key=LIVE).headers["X-RateLimit-Remaining"] == "99"
    assert all(ask("POST", "/tickets/bulk-update", body).status == 200 for _ in range(12))


def test_lite_keys_have_fifteen_calls_a_month(ask: Ask) -> None:
    """The sixteenth is turned away for weeks."""
    assert [ask("GET", "/tickets/stats", key=LITE).status for _ in range(15)] == [200] * 15
    answer = ask("GET", "/tickets/stats", key=LITE)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 86_400


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_lost_answer_leaves_its_effect(world: World, ask: Ask, api: Api, fault: str) -> None:
    """What came in its place is no answer of the API, and the report is there."""
    api.fail_next(fault)
    answer = ask("POST", "/reports", wish(world))
    assert world.count("reports") == 41
    assert answer.fault == fault
    told = {"lost_reset": 0, "lost_504": 504, "lost_524": 524, "lost_cut": 201, "lost_empty": 200}
    assert answer.status == told[fault]


def test_lost_answers_strike_writes_alone(world: World, ask: Ask, api: Api) -> None:
    """A reading is answered."""
    api.switches.lost_504 = 1.0
    assert ask("GET", "/tickets/stats").status == 200
    assert ask("POST", "/reports", wish(world)).status == 504


@pytest.mark.parametrize("fault", ["html_504", "html_524", "reset", "error_500"])
def test_other_faults_strike_before_the_effect(world: World, ask: Ask, api: Api, fault: str) -> None:
    """Nothing was made."""
    api.fail_next(fault)
    ask("POST", "/reports", wish(world))
    assert world.count("reports") == 40


@pytest.mark.parametrize("fault", ["lost_reset", "lost_cut"])
def test_broken_connections_over_a_socket(sandbox: SandboxServer, fault: str) -> None:
    """The client sees no whole answer; the report is there."""
    sandbox.fail_next(fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        requests.post(f"{sandbox.base_url}/reports", json=wish(sandbox.world), headers={"X-API-Key": TEST}, timeout=5)
    assert sandbox.world.count("reports") == 41
