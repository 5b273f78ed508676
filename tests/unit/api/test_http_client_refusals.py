"""The client: answers that no repeat mends, and refusals of the edge."""

from __future__ import annotations

from typing import Any

import pytest

from cogny_source.api.meter import Meter
from cogny_source.errors import (
    AuthError,
    BadRequest,
    ContractError,
    EdgeRefusal,
    FatalError,
    Forbidden,
    NotFound,
)
from cogny_source.sandbox import SandboxServer
from tests.support.edge import Clock, Edge
from tests.support.http_clients import OK, REPORTS_ONLY, SECRET, STANDARD, Made, fail

# What is added where the API was never reached.
BLIND = "; tried 8 times in 62 s"


@pytest.mark.parametrize(
    ("key", "path", "params", "kind", "told"),
    [
        (SECRET, "/tickets", {}, AuthError, "the API key is missing or invalid (path /tickets, status 401"),
        (REPORTS_ONLY, "/tickets", {}, Forbidden, "the key lacks a scope; missing scope: tickets:read (path /tickets"),
        (STANDARD, "/reports/rpt_none", {}, NotFound, "no such row in reports (path /reports/rpt_none, status 404"),
        (STANDARD, "/nothing", {}, NotFound, "there is no such path (path /nothing, status 404, code NOT_FOUND"),
        (STANDARD, "/tickets", {"limit": 101}, BadRequest, "limit must be a whole number from 1 to 100 (path /tickets"),
        (STANDARD, "/tickets", {"cursor": "?"}, BadRequest, "cursor is invalid (path /tickets, status 400"),
    ],
)
def test_a_refusal_is_final_at_once(
    sandbox: SandboxServer,
    clock: Clock,
    make_client: Made,
    meter: Meter,
    key: str,
    path: str,
    params: dict[str, Any],
    kind: type[FatalError],
    told: str,
) -> None:
    """One request, no wait, and an error that says what to mend."""
    with pytest.raises(FatalError) as caught:
        make_client(sandbox.base_url, key).get(path, params, meter)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(told)
    assert (len(sandbox.requests), clock.slept, meter) == (1, [], Meter(requests=1))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("no", "no; the key needs the scope tickets:read"),
        ("tickets:read is missing", "tickets:read is missing"),
    ],
)
def test_a_403_that_names_no_scope_is_given_the_one_of_the_path(
    edge: Edge, make_client: Made, message: str, told: str
) -> None:
    """Whoever must mend the key is told what it needs, once."""
    edge.will_answer({"success": False, "error": {"message": message}}, 403)
    assert fail(make_client(edge.base_url), scope="tickets:read").message == told


def test_a_403_without_a_known_scope_is_left_as_it_is(edge: Edge, make_client: Made) -> None:
    """Nothing is made up."""
    edge.will_answer({"success": False, "error": {"message": "no"}}, 403)
    assert fail(make_client(edge.base_url)).message == "no"


HTML = b"<html><title>Attention Required!</title></html>"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_by_the_edge_passes(edge: Edge, make_client: Made, meter: Meter, status: int) -> None:
    """Where the API has answered, a page of HTML in its place is an outage like any other."""
    edge.will_answer(OK)
    for _ in range(12):
        edge.will_answer(HTML, status)
    edge.will_answer(OK)
    client = make_client(edge.base_url)
    assert [client.get("/tickets", {}, meter).data for _ in range(2)] == [[], []]
    assert (meter.requests, meter.retries) == (14, 12)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_base_url_that_leads_elsewhere_is_told_within_two_minutes(
    edge: Edge, make_client: Made, meter: Meter, status: int
) -> None:
    """Where no envelope ever came, what answers may be no API."""
    edge.will_answer(HTML, status)
    error = fail(make_client(edge.base_url), meter=meter, scope="tickets:read")
    assert (type(error), error.message) == (
        EdgeRefusal,
        f"the edge in front of the API refused the request ({status}, no JSON){BLIND}; base_url may lead elsewhere",
    )
    assert meter.requests == 8


def test_a_400_of_the_edge_is_given_up_soon(edge: Edge, make_client: Made, meter: Meter) -> None:
    """It refuses the request itself, as a rule, and would again."""
    edge.will_answer(OK)
    edge.will_answer(HTML, 400)
    client = make_client(edge.base_url)
    client.get("/tickets", {}, Meter())
    assert type(fail(client, meter=meter)) is EdgeRefusal
    assert meter.requests == 5


@pytest.mark.parametrize("status", [408, 425])
@pytest.mark.parametrize("body", [HTML, b'{"success":false}'])
def test_a_request_that_came_too_late_or_too_early_is_sent_again(
    edge: Edge, make_client: Made, meter: Meter, status: int, body: bytes
) -> None:
    """The same request may pass."""
    edge.will_answer(body, status)
    edge.will_answer(OK)
    assert make_client(edge.base_url).get("/tickets", {}, meter).data == []
    assert meter.retries == 1


@pytest.mark.parametrize(
    "disguise",
    [
        {"success": "false", "data": []},
        {"success": 0, "data": []},
        {"success": None, "data": []},
        {"success": True, "data": [], "error": {"code": "QUERY_FAILED", "message": "no"}},
    ],
    ids=repr,
)
def test_a_failure_in_disguise_is_asked_for_again(
    edge: Edge, make_client: Made, meter: Meter, disguise: dict[str, Any]
) -> None:
    """A 200 with an empty list that is no success never empties a table."""
    edge.will_answer(disguise)
    edge.will_answer({"success": True, "data": [{"id": "tkt_1"}]})
    assert make_client(edge.base_url).get("/tickets", {}, meter).data == [{"id": "tkt_1"}]
    assert meter.retries == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(
    edge: Edge, sandbox: SandboxServer, make_client: Made, meter: Meter, status: int
) -> None:
    """The key goes nowhere but to the base URL."""
    edge.will_answer(b"", status, {"Location": f"{sandbox.base_url}/warehouses"})
    assert type(fail(make_client(edge.base_url), meter=meter)) is ContractError
    assert (len(edge.received), sandbox.requests, meter) == (1, [], Meter(requests=1))
