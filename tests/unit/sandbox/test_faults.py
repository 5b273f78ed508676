"""Faults over HTTP: what a reader meets when a switch is turned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from cogny_source.sandbox import SandboxServer, Switches
from cogny_source.sandbox.faults import REQUEST_FAULTS, draw_fault, draw_stall, strikes
from cogny_source.sandbox.instants import parse_instant

Get = Callable[..., requests.Response]
Walk = Callable[..., list[dict[str, Any]]]
Row = dict[str, Any]


def test_chance_depends_on_seed_fault_and_subject_alone() -> None:
    """The same lot is drawn every time, another for every subject and seed, about as often as asked."""
    drawn = [strikes(1, "reset", number, 0.3) for number in range(2000)]
    assert drawn == [strikes(1, "reset", number, 0.3) for number in range(2000)]
    assert 500 < sum(drawn) < 700
    assert drawn != [strikes(2, "reset", number, 0.3) for number in range(2000)]
    assert drawn != [strikes(1, "empty_200", number, 0.3) for number in range(2000)]
    assert not strikes(1, "reset", 1, 0.0)
    assert strikes(1, "reset", 1, 1.0)


@pytest.mark.parametrize("fault", REQUEST_FAULTS)
def test_every_request_fault_has_a_switch(fault: str) -> None:
    """A certain fault strikes; without switches none does."""
    switches = Switches()
    assert draw_fault(switches, 1) is None
    setattr(switches, fault, 1.0)
    assert draw_fault(switches, 1) == fault


@pytest.mark.parametrize(("fault", "status", "title"), [("html_502", 502, "Bad gateway"), ("html_521", 521, "down")])
def test_edge_answers_with_a_page(sandbox: SandboxServer, get: Get, fault: str, status: int, title: str) -> None:
    """When the origin is away the edge answers in HTML."""
    setattr(sandbox.switches, fault, 1.0)
    answer = get("/tickets")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=UTF-8")
    assert title in answer.text


def test_away_strikes_everything_but_the_control_routes(sandbox: SandboxServer, get: Get) -> None:
    """While the origin is away every path and key meets 521."""
    sandbox.switches.away = True
    assert {get(path, key=key).status_code for path in ("/tickets", "/nothing") for key in ("wrong", None)} == {521}
    assert get("/../_sandbox/health").status_code == 200
    sandbox.switches.away = False
    assert get("/tickets").status_code == 200


def test_an_outage_ends_by_itself(sandbox: SandboxServer, get: Get) -> None:
    """The next so many requests meet 521, then the origin is back; the switch tells how many are left."""
    assert get("/tickets").status_code == 200
    sandbox.switches.away_requests = 3
    assert [get("/tickets").status_code for _ in range(2)] == [521, 521]
    assert sandbox.switches.as_dict()["away_requests"] == 1
    assert [get("/tickets", key=key).status_code for key in ("wrong", "wrong", "sk_test_sandbox")] == [521, 401, 200]
    assert [record.fault for record in sandbox.requests] == [None, *["html_521"] * 3, None, None]


def test_keys_are_revoked_in_the_middle_of_a_run(sandbox: SandboxServer, get: Get) -> None:
    """Once the server has answered so many requests, whatever they met, every key is unknown, until told otherwise."""
    sandbox.switches.revoked_after_requests = 3
    sandbox.fail_next("error_500")
    assert [get("/tickets").status_code for _ in range(5)] == [500, 200, 200, 401, 401]
    answer = get("/reports", key="sk_live_reports_only_sandbox")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    sandbox.switches.revoked_after_requests = None
    assert get("/tickets").status_code == 200
    sandbox.switches.revoked_after_requests = 0
    assert get("/tickets").status_code == 401


def test_error_500_is_an_envelope(sandbox: SandboxServer, get: Get) -> None:
    """The API's own failure has an error envelope."""
    sandbox.switches.error_500 = 1.0
    answer = get("/tickets")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "QUERY_FAILED")


def test_empty_200(sandbox: SandboxServer, get: Get) -> None:
    """A 200 may have nothing in it."""
    sandbox.switches.empty_200 = 1.0
    answer = get("/tickets")
    assert (answer.status_code, answer.content) == (200, b"")


def test_success_false(sandbox: SandboxServer, get: Get) -> None:
    """A 200 may be an error with a code that no page documents."""
    sandbox.switches.success_false = 1.0
    answer = get("/tickets")
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert answer.json()["error"]["code"] == "UPSTREAM_DEGRADED"


@pytest.mark.parametrize(
    ("form", "header"), [("seconds", "7"), ("date", "Sun, 01 Jun 2025 12:00:07 GMT"), ("none", None)]
)
def test_rate_limited_out_of_the_blue(sandbox: SandboxServer, get: Get, form: str, header: str | None) -> None:
    """Even a test key may meet 429."""
    sandbox.switches.update({"rate_limited": 1.0, "retry_after": form, "retry_after_seconds": 7})
    answer = get("/tickets")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, header)


def test_reset_breaks_the_connection(sandbox: SandboxServer, get: Get) -> None:
    """The peer resets; the next request goes through."""
    sandbox.fail_next("reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        get("/tickets")
    assert get("/tickets").status_code == 200
    assert [(record.status, record.fault) for record in sandbox.requests] == [(0, "reset"), (200, None)]


def test_cut_short_ends_before_its_length(sandbox: SandboxServer, get: Get) -> None:
    """The body is shorter than announced; the next request goes through."""
    sandbox.fail_next("cut_short")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        get("/tickets")
    assert get("/tickets").status_code == 200


def test_a_dribbling_body_is_slow_and_whole(sandbox: SandboxServer, get: Get) -> None:
    """No read of it takes long, the whole takes the time of a stall, and the connection serves the next request."""
    sandbox.switches.stall_seconds = 0.2
    sandbox.fail_next("dribble", "dribble")
    started = time.monotonic()
    assert get("/tickets", limit=100).json()["data"] == sandbox.world.rows("tickets")[:100]
    assert time.monotonic() - started >= 0.2
    assert get("/tickets/none").status_code == 404
    assert [(record.status, record.fault) for record in sandbox.requests] == [(200, "dribble"), (404, "dribble")]


def test_a_reader_that_hangs_up_ends_a_dribble(sandbox: SandboxServer) -> None:
    """Headers and first bytes are there at once; whoever leaves after them does not hold up the end of the server."""
    sandbox.switches.update({"dribble": 1.0, "stall_seconds": 200})
    headers = {"X-API-Key": "sk_test_sandbox"}
    with pytest.raises(requests.ConnectionError, match="Read timed out"):
        requests.get(sandbox.base_url + "/tickets", headers=headers, timeout=0.05)
    started = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - started < 5


def test_stall_outlasts_a_reader(sandbox: SandboxServer) -> None:
    """A stalled answer does not come in time, and does not hold up the end of the server."""
    sandbox.switches.update({"stall": 1.0, "stall_seconds": 20})
    headers = {"X-API-Key": "sk_test_sandbox"}
    with pytest.raises(requests.ReadTimeout):
        requests.get(sandbox.base_url + "/tickets", headers=headers, timeout=0.05)
    started = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - started < 5


def test_latency_delays_every_answer(sandbox: SandboxServer, get: Get) -> None:
    """Latency adds to each request; a stall adds to it."""
    sandbox.switches.latency_seconds = 0.05
    started = time.monotonic()
    assert get("/tickets").status_code == 200
    assert time.monotonic() - started >= 0.05
    assert draw_stall(Switches(stall=1.0, stall_seconds=2, latency_seconds=0.5), 1) == 2.5
    assert draw_stall(Switches(), 1) == 0


def test_scripted_faults_strike_in_order(sandbox: SandboxServer, get: Get) -> None:
    """Faults named ahead strike one request each, then the lots decide again."""
    sandbox.fail_next("error_500", "html_502")
    assert [get("/tickets").status_code for _ in range(3)] == [500, 502, 200]
    with pytest.raises(ValueError, match="earthquake"):
        sandbox.fail_next("error_500", "earthquake")


def test_ignored_filters(sandbox: SandboxServer, get: Get, walk: Walk) -> None:
    """An ignored filter is not even checked; others of the same list are heeded."""
    sandbox.switches.ignored_filters = {"reports": frozenset({"updated_after"})}
    rows = sandbox.world.rows("reports")
    assert walk("reports", updated_after="nonsense") == rows
    queued = [row for row in rows if row["status"] == "queued"]
    assert walk("reports", updated_after="2025-06-01", status="queued") == queued
    sandbox.switches.ignored_filters = {"tickets": frozenset({"*"})}
    assert get("/tickets", status="open", priority="low").json()["pagination"]["total_count"] == 250


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
def test_ignored_sorts(sandbox: SandboxServer, walk: Walk, order: str) -> None:
    """A list that ignores sort comes in creation order, one way or the other."""
    sandbox.switches.ignored_sorts = {"reports": order}
    rows = sandbox.world.rows("reports")
    assert walk("reports", sort="-updated_at", limit=7) == (rows if order == "oldest_first" else rows[::-1])


@pytest.mark.parametrize("resource", ["tickets", "reports"])
@pytest.mark.parametrize("order", ["least_recently_updated_first", "recently_updated_first"])
def test_ignored_sorts_by_update(sandbox: SandboxServer, walk: Walk, resource: str, order: str) -> None:
    """A list that ignores sort may come by time of update, one way or the other."""
    sandbox.switches.ignored_sorts = {resource: order}
    rows = sorted(sandbox.world.rows(resource), key=lambda row: (parse_instant(row["updated_at"]), row["id"]))
    assert walk(resource, sort="-created_at", limit=7) == (rows[::-1] if order == "recently_updated_first" else rows)


@pytest.mark.parametrize(("order", "comes"), [("least_recently_updated_first", 2), ("recently_updated_first", 1)])
def test_rows_move_under_an_order_by_update(sandbox: SandboxServer, get: Get, order: str, comes: int) -> None:
    """A row that changes between two pages comes again at the end, or, latest first, does not come at its new place."""
    sandbox.switches.ignored_sorts = {"tickets": order}
    body = get("/tickets", sort="created_at", limit=100).json()
    rows, moved = body["data"], body["data"][0]["id"]
    sandbox.world.patch("tickets", moved, notes="changed")
    while body["pagination"]["has_more"]:
        body = get("/tickets", sort="created_at", limit=100, cursor=body["pagination"]["next_cursor"]).json()
        rows += body["data"]
    assert [row["id"] for row in rows].count(moved) == comes
    assert len(rows) == 249 + comes


def test_pagination_omitted(sandbox: SandboxServer, get: Get) -> None:
    """A list without pagination is complete, whatever the limit."""
    sandbox.switches.pagination_omitted = frozenset({"tickets"})
    body = get("/tickets", limit=10, sort="-created_at").json()
    assert "pagination" not in body
    assert body["data"] == sandbox.world.rows("tickets")[::-1]
    assert "pagination" in get("/warehouses").json()


@pytest.mark.parametrize("inclusive", [False, True])
def test_bounds_include_their_instant_on_demand(sandbox: SandboxServer, walk: Walk, inclusive: bool) -> None:
    """Whether a bound includes its own instant is a matter of a switch."""
    sandbox.switches.inclusive_bounds = inclusive
    middle = sandbox.world.rows("tickets")[125]["created_at"]
    same = [row for row in sandbox.world.rows("tickets") if parse_instant(row["created_at"]) == parse_instant(middle)]
    assert walk("tickets", created_after=middle, created_before=middle) == (same if inclusive else [])
    counts = len(walk("tickets", created_after=middle)) + len(walk("tickets", created_before=middle))
    assert counts == 250 + (len(same) if inclusive else -len(same))


@pytest.mark.parametrize("kind", ["keyset", "offset"])
def test_cursors_expire(sandbox: SandboxServer, get: Get, kind: str) -> None:
    """After so many uses in a listing a cursor answers 400; a fresh listing goes through again."""
    sandbox.switches.update({"cursor_lifetime_pages": 2, "cursor_kind": kind})
    statuses: list[int] = []
    cursor: dict[str, Any] = {}
    for _ in range(4):
        answer = get("/tickets", **cursor)
        statuses.append(answer.status_code)
        cursor = {"cursor": answer.json().get("pagination", cursor).get("next_cursor")}
    assert statuses == [200, 200, 200, 400]
    assert answer.json()["error"] == {
        "code": "INVALID_PARAMETER",
        "message": "cursor expired",
        "details": {"parameter": "cursor"},
    }
    assert get("/tickets").status_code == 200


def test_repeated_cursor_names_the_same_page_for_ever(sandbox: SandboxServer, get: Get) -> None:
    """The second page comes again and again under one cursor."""
    sandbox.switches.repeat_cursor = True
    first = get("/tickets", limit=10).json()
    cursor = first["pagination"]["next_cursor"]
    for _ in range(3):
        body = get("/tickets", limit=10, cursor=cursor).json()
        assert body["data"] == sandbox.world.rows("tickets")[10:20]
        assert (body["pagination"]["has_more"], body["pagination"]["next_cursor"]) == (True, cursor)


def test_missing_cursor(sandbox: SandboxServer, get: Get) -> None:
    """There is said to be more, and no way to it; a last page is as ever."""
    sandbox.switches.missing_cursor = True
    assert get("/tickets").json()["pagination"] == {"has_more": True, "total_count": 250}
    assert get("/tickets", id="x", status="none").json()["pagination"]["next_cursor"] is None


def test_endless_listing(sandbox: SandboxServer, get: Get) -> None:
    """Every cursor is fresh, and the rows are those of the first page."""
    sandbox.switches.endless = True
    cursors: list[str] = []
    for _ in range(4):
        body = get("/tickets", limit=100, **({"cursor": cursors[-1]} if cursors else {})).json()
        assert body["data"] == sandbox.world.rows("tickets")[:100]
        cursors.append(body["pagination"]["next_cursor"])
    assert len(set(cursors)) == 4


def test_total_count_may_be_missing(sandbox: SandboxServer, get: Get) -> None:
    """Pagination goes without total_count on demand."""
    sandbox.switches.total_count = False
    assert list(get("/tickets").json()["pagination"]) == ["has_more", "next_cursor"]


def test_total_count_may_ignore_the_filters(sandbox: SandboxServer, get: Get) -> None:
    """Every row of the resource is counted, and only those asked for are listed."""
    opened = sum(row["status"] == "open" for row in sandbox.world.rows("tickets"))
    sandbox.switches.total_count_unfiltered = True
    pagination = get("/tickets", status="open", limit=100).json()["pagination"]
    assert (pagination["total_count"], pagination["has_more"]) == (250, opened > 100)
    assert get("/tickets", status="none").json()["pagination"] == {
        "has_more": False,
        "next_cursor": None,
        "total_count": 250,
    }


def test_churn_changes_rows_after_each_page(sandbox: SandboxServer, get: Get) -> None:
    """Rows change, come and go after a page, each stamped later than the page's meta.timestamp."""
    sandbox.switches.update({"churn_per_page": 5, "churn_creates_per_page": 2, "churn_deletes_per_page": 1})
    for resource in ("tickets", "reports"):
        before = {row["id"]: row for row in sandbox.world.rows(resource)}
        body = get(f"/{resource}", limit=10).json()
        after = {row["id"]: row for row in sandbox.world.rows(resource)}
        assert body["data"] == list(before.values())[:10]
        assert (len(after.keys() - before.keys()), len(before.keys() - after.keys())) == (2, 1)
        changed = [row for key, row in after.items() if before.get(key) != row]
        assert len(changed) == 7
        assert all(parse_instant(row["updated_at"]) > parse_instant(body["meta"]["timestamp"]) for row in changed)


def test_rows_that_churn_come_again_at_the_end(sandbox: SandboxServer, walk: Walk) -> None:
    """A keyset reader under sort=updated_at who bears repeats ends with every row but those changed at the last."""
    sandbox.switches.churn_per_page = 3
    read = {row["id"]: row for row in walk("tickets", sort="updated_at")}
    truth = {row["id"]: row for row in sandbox.world.rows("tickets")}
    assert read.keys() == truth.keys()
    assert sum(read[key] != truth[key] for key in truth) == 3


def test_clock_and_headers_may_be_missing(sandbox: SandboxServer, get: Get) -> None:
    """Envelopes go without their timestamp, answers without their Date."""
    sandbox.switches.update({"meta_timestamp": False, "date_header": False})
    answer = get("/tickets")
    assert list(answer.json()["meta"]) == ["request_id"]
    assert "Date" not in answer.headers


def served(sandbox: SandboxServer, walk: Walk, resource: str = "tickets") -> tuple[list[Row], list[Row]]:
    """What a list shows and what is true, after checking that the server knows what it shows."""
    shown = walk(resource)
    assert shown == walk(resource) == sandbox.served_rows(resource)
    return shown, sandbox.world.rows(resource)


def test_undeclared_fields(sandbox: SandboxServer, walk: Walk) -> None:
    """Rows carry fields that no page documents, also within the impact."""
    sandbox.switches.undeclared_fields = True
    shown, truth = served(sandbox, walk)
    assert {*shown[0]} - {*truth[0]} == {"ai_model", "labels", "sync"}
    assert {*shown[0]["estimated_impact"]} - {*truth[0]["estimated_impact"]} == {"currency", "range"}
    shown, truth = served(sandbox, walk, "warehouses")
    assert {*shown[0]} - {*truth[0]} == {"ai_model", "labels", "sync"}


@pytest.mark.parametrize(("probability", "least", "most"), [(1.0, 250, 250), (0.5, 90, 160)])
def test_impact_as_string(sandbox: SandboxServer, walk: Walk, probability: float, least: int, most: int) -> None:
    """The impact is a text in as many tickets as asked, and the rest of the row is true."""
    sandbox.switches.impact_as_string = probability
    shown, truth = served(sandbox, walk)
    assert least <= sum(isinstance(row["estimated_impact"], str) for row in shown) <= most
    assert [row | {"estimated_impact": 0} for row in shown] == [row | {"estimated_impact": 0} for row in truth]


def test_bad_timestamps(sandbox: SandboxServer, walk: Walk) -> None:
    """No updated_at can be read, and the rest of the row is true."""
    sandbox.switches.bad_timestamps = 1.0
    shown, truth = served(sandbox, walk)
    assert {row["updated_at"] for row in shown} == {
        "yesterday",
        "2025-02-30T10:00:00Z",
        "1738578600",
        "",
        "0000-00-00 00:00:00",
    }
    assert [row | {"updated_at": 0} for row in shown] == [row | {"updated_at": 0} for row in truth]
    shown, truth = served(sandbox, walk, "warehouses")
    assert shown == truth


def test_misfits(sandbox: SandboxServer, walk: Walk) -> None:
    """Every way of not fitting the declared type turns up; single rows are served alike."""
    sandbox.switches.misfits = 1.0
    shown, truth = served(sandbox, walk)
    differing = {name for row, true in zip(shown, truth, strict=True) for name in true if row[name] != true[name]}
    assert differing == {"estimated_impact", "action_items", "supporting_data", "title"}
    assert {type(row["estimated_impact"]["current_value"]) for row in shown} == {str, float, int}
    assert all(row != true for row, true in zip(shown, truth, strict=True))
    for resource, name in (("reports", "prompt"), ("warehouses", "name")):
        shown, truth = served(sandbox, walk, resource)
        assert [row[name] for row in shown] == [[row[name], 42] for row in truth]


def test_single_rows_are_dressed_too(sandbox: SandboxServer, get: Get) -> None:
    """A row looks the same in the list and by itself."""
    sandbox.switches.impact_as_string = 1.0
    row = sandbox.served_rows("tickets")[0]
    assert get(f"/tickets/{row['id']}").json()["data"] == row
