"""The API over HTTP: keys, scopes, envelopes, single rows and contents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from cogny_source.sandbox import Access, SandboxServer, World
from cogny_source.sandbox.keys import ALL_SCOPES

Get = Callable[..., requests.Response]
Walk = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize("resource", ["tickets", "reports", "warehouses"])
def test_lists_show_the_truth(sandbox: SandboxServer, walk: Walk, resource: str) -> None:
    """A whole reading over HTTP gives every row, exactly."""
    assert walk(resource) == sandbox.world.rows(resource)


def test_success_envelope(get: Get) -> None:
    """A list carries success, data, pagination and meta, in the published form."""
    answer = get("/tickets", limit=1)
    body = answer.json()
    assert list(body) == ["success", "data", "pagination", "meta"]
    assert body["success"] is True
    assert list(body["pagination"]) == ["has_more", "next_cursor", "total_count"]
    assert body["meta"] == {"timestamp": "2025-06-01T12:00:00.000000Z", "request_id": "req_000000000001"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Date"] == "Sun, 01 Jun 2025 12:00:00 GMT"


def test_request_id_is_echoed(get: Get) -> None:
    """The client's X-Request-ID comes back, in successes and in errors."""
    for path in ("/tickets", "/tickets/none", "/nothing"):
        assert get(path, headers={"X-Request-ID": "trace-1"}).json()["meta"]["request_id"] == "trace-1"


def test_error_envelope(get: Get) -> None:
    """An error carries success, error and meta."""
    body = get("/tickets", limit=1000).json()
    assert list(body) == ["success", "error", "meta"]
    assert body["success"] is False
    assert body["error"] == {
        "code": "INVALID_PARAMETER",
        "message": "limit must be a whole number from 1 to 100",
        "details": {"parameter": "limit"},
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sk_test_wrong"},
        {"Authorization": "sk_test_sandbox"},
        {"Authorization": "Basic sk_test_sandbox"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "wrong"},
    ],
)
def test_missing_and_unknown_keys_are_turned_away(get: Get, headers: dict[str, str]) -> None:
    """Without a known key the answer is 401."""
    answer = get("/tickets", key=None, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("headers", [{"X-API-Key": "sk_test_sandbox"}, {"Authorization": "bearer sk_test_sandbox"}])
def test_both_headers_let_in(get: Get, headers: dict[str, str]) -> None:
    """The legacy header works, and the scheme's case does not matter."""
    assert get("/tickets", key=None, headers=headers).status_code == 200


def test_scopes_are_required(get: Get) -> None:
    """A key reads only what its scopes name."""
    key = "sk_live_reports_only_sandbox"
    assert get("/reports", key=key).status_code == 200
    for path in ("/tickets", "/tickets/tkt_1", "/warehouses"):
        answer = get(path, key=key)
        scope = path.split("/")[1] + ":read"
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
        assert answer.json()["error"]["details"] == {"required_scope": scope}


def test_keys_are_configurable(world: World) -> None:
    """A server takes other keys in place of its own."""
    with SandboxServer(world, keys={"sk_live_mine": Access(ALL_SCOPES - {"reports:read"})}) as sandbox:
        statuses = [
            requests.get(f"{sandbox.base_url}/{path}", headers={"X-API-Key": key}, timeout=5).status_code
            for path, key in (("tickets", "sk_live_mine"), ("reports", "sk_live_mine"), ("tickets", "sk_test_sandbox"))
        ]
    assert statuses == [200, 403, 401]


@pytest.mark.parametrize("resource", ["tickets", "reports"])
def test_single_rows(sandbox: SandboxServer, get: Get, resource: str) -> None:
    """A single row is the row of the list."""
    row = sandbox.world.rows(resource)[3]
    body = get(f"/{resource}/{row['id']}").json()
    assert (list(body), body["data"]) == (["success", "data", "meta"], row)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/tickets/tkt_0", "TICKET_NOT_FOUND"),
        ("/reports/rpt_0", "REPORT_NOT_FOUND"),
        ("/reports/rpt_0/content", "REPORT_NOT_FOUND"),
        ("/warehouses/wh_0", "NOT_FOUND"),
        ("/tickets/tkt_0/content", "NOT_FOUND"),
        ("/reports/rpt_0/content/more", "NOT_FOUND"),
        ("/tickets/", "NOT_FOUND"),
        ("/users", "NOT_FOUND"),
        ("", "NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_not_found(get: Get, path: str, code: str) -> None:
    """An unknown id or path answers 404 with its code."""
    answer = get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_content_of_a_completed_report(sandbox: SandboxServer, get: Get) -> None:
    """The content belongs to the report, is the same at every call, and counts as the summary does."""
    finished = [row for row in sandbox.world.rows("reports") if row["status"] == "completed"]
    for row in finished:
        content = get(f"/reports/{row['id']}/content").json()["data"]
        assert list(content) == ["report_id", "sections", "recommendations", "metadata"]
        assert content["report_id"] == row["id"]
        assert [section["insights"][0]["content"] for section in content["sections"]] == row["summary"]["key_findings"]
        assert content["metadata"].items() >= {name: row["summary"][name] for name in ("total_queries",)}.items()
        assert get(f"/reports/{row['id']}/content").json()["data"] == content


def test_completed_report_without_a_summary_has_an_empty_content(sandbox: SandboxServer, get: Get) -> None:
    """A report that a test completed by hand still has a content."""
    row = sandbox.world.rows("reports")[0]
    sandbox.world.patch("reports", row["id"], status="completed", summary=None)
    assert get(f"/reports/{row['id']}/content").json()["data"]["sections"] == []


@pytest.mark.parametrize("status", ["queued", "processing", "failed", "cancelled"])
def test_other_reports_have_no_content(sandbox: SandboxServer, get: Get, status: str) -> None:
    """Only completed reports have a content."""
    row = next(row for row in sandbox.world.rows("reports") if row["status"] == status)
    for code in (404, 400):
        sandbox.switches.unready_content_status = code
        answer = get(f"/reports/{row['id']}/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (code, "REPORT_NOT_COMPLETED")
        assert answer.json()["error"]["details"] == {"status": status}


def test_other_methods_are_not_served(sandbox: SandboxServer) -> None:
    """A path that is there for other methods answers 405."""
    headers = {"X-API-Key": "sk_test_sandbox"}
    answer = requests.put(f"{sandbox.base_url}/reports", json={}, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_every_later_change_is_stamped_after_the_page(sandbox: SandboxServer, get: Get) -> None:
    """Changes made after a page have a later updated_at than its meta.timestamp."""
    row = sandbox.world.rows("tickets")[0]
    for note in ("first", "second"):
        told = get("/tickets", limit=1).json()["meta"]["timestamp"]
        changed = sandbox.world.patch("tickets", row["id"], notes=note)
        assert changed["updated_at"] > told
        assert get("/tickets", updated_after=told).json()["data"] == [changed]
