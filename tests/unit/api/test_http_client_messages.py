"""The client: what it logs, and that no key is in it."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from cogny_source.api.auth import KeyAuth
from cogny_source.api.meter import Meter
from cogny_source.sandbox import SandboxServer
from tests.support.edge import Edge
from tests.support.http_clients import FAULTS, OK, SECRET, Made, fail


def lines_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of each line."""
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_long_wait_is_told_before_and_after(edge: Edge, make_client: Made, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever watches sees how long, until when and why; and that it goes on."""
    error = {"code": "RATE_LIMIT_EXCEEDED", "message": "no"}
    edge.will_answer({"success": False, "error": error, "meta": {"request_id": "r1"}}, 429, {"Retry-After": "45"})
    edge.will_answer(OK)
    with caplog.at_level(logging.INFO, "cogny_source"):
        make_client(edge.base_url).get("/tickets", {}, Meter())
    failure = "no (path /tickets, status 429, code RATE_LIMIT_EXCEEDED, request id r1)"
    assert lines_of(caplog) == [
        ("WARNING", f"{failure}; attempt 1 is repeated in 45.0 s"),
        ("INFO", "waiting 45.0 s until 00:01:00 UTC (/tickets: after attempt 1)"),
        ("INFO", "going on after 45.0 s (/tickets: after attempt 1)"),
    ]


def test_a_repeat_is_told_with_its_reason(edge: Edge, make_client: Made, caplog: pytest.LogCaptureFixture) -> None:
    """A short wait leaves one line: what happened, which attempt, how long."""
    error = {"code": "QUERY_FAILED", "message": "no"}
    edge.will_answer({"success": False, "error": error, "meta": {"request_id": "r1"}}, 500)
    edge.will_answer(OK)
    with caplog.at_level(logging.DEBUG, "cogny_source"):
        make_client(edge.base_url).get("/tickets", {}, Meter())
    failure = "no (path /tickets, status 500, code QUERY_FAILED, request id r1)"
    assert lines_of(caplog) == [("WARNING", f"{failure}; attempt 1 is repeated in 0.5 s")]


@pytest.mark.parametrize(("seconds", "lines"), [(2, 1), (3, 3)])
def test_waits_of_two_seconds_are_quiet(
    sandbox: SandboxServer, make_client: Made, caplog: pytest.LogCaptureFixture, seconds: int, lines: int
) -> None:
    """Only a longer wait is announced and ended by a line of its own."""
    sandbox.switches.retry_after_seconds = seconds
    sandbox.fail_next("rate_limited")
    with caplog.at_level(logging.INFO, "cogny_source"):
        make_client(sandbox.base_url).get("/warehouses", {}, Meter())
    assert len(caplog.records) == lines


def test_the_limiters_wait_is_told(sandbox: SandboxServer, make_client: Made, caplog: pytest.LogCaptureFixture) -> None:
    """A wait for the window names its reason."""
    client = make_client(sandbox.base_url, requests_per_minute=1.0)
    with caplog.at_level(logging.INFO, "cogny_source"):
        for _ in range(2):
            client.get("/warehouses", {}, Meter())
    assert caplog.messages == [
        "waiting 60.0 s until 00:01:15 UTC (/warehouses: the rate limit's window is used up)",
        "going on after 60.0 s (/warehouses: the rate limit's window is used up)",
    ]


@pytest.mark.parametrize("auth_header", ["bearer", "x-api-key"])
@pytest.mark.parametrize("fault", [*FAULTS, "rate_limited", None])
def test_the_key_is_told_nowhere(
    sandbox: SandboxServer, make_client: Made, caplog: pytest.LogCaptureFixture, fault: str | None, auth_header: str
) -> None:
    """No line at any level, no error, no traceback and no repr shows the key."""
    if fault is not None:
        setattr(sandbox.switches, fault, 1.0)
    client = make_client(sandbox.base_url, SECRET, auth_header=auth_header, max_outage_seconds=9, max_wait_seconds=9)
    with caplog.at_level(logging.DEBUG):
        error = fail(client)
    told = [caplog.text, str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    told += [repr(client), str(client), repr(vars(client))]
    assert [text for text in told if SECRET in text] == []


@pytest.mark.parametrize("header", ["bearer", "x-api-key"])
def test_the_auth_hides_its_key(header: Any) -> None:
    """Its repr names the header only."""
    assert repr(KeyAuth(SECRET, header)) == str(KeyAuth(SECRET, header)) == f"KeyAuth(header='{header}')"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
def test_a_key_that_the_api_echoes_is_not_repeated(
    edge: Edge, make_client: Made, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """An API that quotes the key in its message, code or request id does not bring it into errors and lines."""
    error = {"code": f"BAD_{SECRET}", "message": f"the key {SECRET} is bad"}
    edge.will_answer({"success": False, "error": error, "meta": {"request_id": SECRET}}, status, {"Retry-After": "1"})
    with caplog.at_level(logging.DEBUG):
        caught = fail(make_client(edge.base_url, SECRET, max_outage_seconds=9, max_wait_seconds=9))
    told = [caplog.text, str(caught), repr(caught), repr(vars(caught)), *traceback.format_exception(caught)]
    assert [text for text in told if SECRET in text] == []


def test_a_request_id_that_holds_the_key_is_not_kept(edge: Edge, make_client: Made) -> None:
    """What the pages' lines tell of an answer is concealed as well."""
    edge.will_answer({**OK, "meta": {"request_id": f"req_{SECRET}"}})
    assert make_client(edge.base_url, SECRET).get("/tickets", {}, Meter()).request_id == "req_[the key]"
