"""The client: what a request carries, and what requests share."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from requests import PreparedRequest

from cogny_source.api.calls import Call
from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings
from tests.support.edge import Clock, Edge
from tests.support.http_clients import OK, SECRET, STANDARD, Made, fail


@pytest.mark.parametrize(
    ("auth_header", "name", "value"),
    [("bearer", "Authorization", f"Bearer {SECRET}"), ("x-api-key", "X-API-Key", SECRET)],
)
def test_the_key_travels_in_the_chosen_header_alone(
    edge: Edge, make_client: Made, auth_header: str, name: str, value: str
) -> None:
    """Neither the other header nor the address carries it."""
    edge.will_answer(OK)
    make_client(edge.base_url, SECRET, auth_header=auth_header).get("/tickets", {"limit": 1}, Meter())
    path, headers = edge.received[0]
    assert path == "/v1/tickets?limit=1"
    assert {header: text for header, text in headers.items() if SECRET in text} == {name: value}
    assert headers["Accept"] == "application/json"


@pytest.mark.parametrize("auth_header", ["bearer", "x-api-key"])
def test_the_sandbox_takes_both_headers(sandbox: SandboxServer, make_client: Made, auth_header: str) -> None:
    """The recommended header opens the API, and so does the legacy one."""
    client = make_client(sandbox.base_url, STANDARD, auth_header=auth_header)
    assert client.get("/warehouses", {}, Meter()).data == sandbox.world.rows("warehouses")


def test_credentials_of_the_machine_do_not_replace_the_key(
    edge: Edge, make_client: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A netrc entry for the host is left alone."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    edge.will_answer(OK)
    make_client(edge.base_url, SECRET, auth_header="x-api-key").get("/tickets", {}, Meter())
    assert "Authorization" not in edge.received[0][1]


def test_every_attempt_has_a_request_id_of_its_own(edge: Edge, make_client: Made) -> None:
    """A repeat can be told from the request that it repeats."""
    edge.will_answer(b"", 500)
    error = fail(make_client(edge.base_url))
    sent = [headers["X-Request-ID"] for _, headers in edge.received]
    assert len(set(sent)) == 35
    assert [str(UUID(text, version=4)) for text in sent] == sent
    assert error.request_id == sent[-1]


def test_a_cookie_is_sent_back(edge: Edge, make_client: Made) -> None:
    """An edge that keeps a client at one of its servers by a cookie gets its newest with each request of every path."""
    client = make_client(edge.base_url)
    for value in ("one", "two", "three"):
        edge.will_answer(OK, headers={"Set-Cookie": f"AWSALB={value}; Path=/"})
    for path in ("/tickets", "/tickets", "/reports", "/reports"):
        client.get(path, {"limit": 1}, Meter())
    cookies = [headers.get("Cookie") for _, headers in edge.received]
    assert cookies == [None, "AWSALB=one", "AWSALB=two", "AWSALB=three"]


def test_requests_of_one_path_share_nothing_but_it(edge: Edge, make_client: Made) -> None:
    """A filter of one request is not in the next, and values are escaped."""
    client = make_client(edge.base_url)
    sent: list[dict[str, str | int]] = [{"cursor": "a b&c=d", "limit": 1}, {"limit": 2}, {}]
    for params in sent:
        edge.will_answer(OK)
        client.get("/tickets", params, Meter())
    assert [path for path, _ in edge.received] == [
        "/v1/tickets?cursor=a+b%26c%3Dd&limit=1",
        "/v1/tickets?limit=2",
        "/v1/tickets",
    ]


def test_the_request_id_comes_back_in_the_answer(sandbox: SandboxServer, make_client: Made) -> None:
    """The sandbox echoes what it was sent."""
    client = make_client(sandbox.base_url)
    answers = [client.get("/warehouses", {}, Meter()).request_id for _ in range(2)]
    assert [str(UUID(text)) for text in answers if text] == answers
    assert answers[0] != answers[1]


def test_a_network_error_carries_the_request_id(sandbox: SandboxServer, make_client: Made) -> None:
    """Where no answer came, the id is the one that was sent."""
    sandbox.switches.reset = 1.0
    error = fail(make_client(sandbox.base_url))
    assert str(UUID(error.request_id)) == error.request_id


def test_headers_teach_the_limiter_on_success_and_on_failure(
    edge: Edge, make_client: Made, clock: Clock, meter: Meter
) -> None:
    """A failure's rate-limit headers count as much as an answer's."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{clock() + 30:.0f}", "X-RateLimit-Limit": "100"}
    edge.will_answer({"success": False}, 404, headers)
    edge.will_answer(OK, 200, {**headers, "X-RateLimit-Remaining": "70"})
    client = make_client(edge.base_url)
    fail(client, meter=meter)
    assert client.limiter.remaining == 0
    client.get("/tickets", {}, meter)
    assert (clock.slept, meter) == ([31.0], Meter(requests=2, waited_seconds=31.0))


def test_a_client_without_timing_lives_by_the_real_clock(sandbox: SandboxServer) -> None:
    """The defaults need no argument."""
    timing = Timing()
    client = HttpClient(Settings(api_key=STANDARD, base_url=sandbox.base_url), RateLimiter(Pace(None), timing.clock))
    try:
        assert client.get("/warehouses", {}, Meter()).data == sandbox.world.rows("warehouses")
    finally:
        client.close()
    assert 0.0 <= timing.jitter() < 1.0


def test_the_first_request_goes_alone(edge: Edge, make_client: Made, clock: Clock) -> None:
    """Three readers that begin together send one request; what its headers allow, the others do after it."""
    budget = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock()) + 40), "X-RateLimit-Limit": "60"}
    edge.will_answer(OK, 200, budget)
    released = threading.Event()
    edge.before_each_byte = lambda: released.wait(20)
    client = make_client(edge.base_url)
    clock.on_sleep = lambda: None
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(client.get, "/tickets", {}, Meter()) for _ in range(3)]
        time.sleep(0.1)
        sent_at_first, slept_at_first = len(edge.received), list(clock.slept)
        released.set()
        assert [answer.result().data for answer in answers] == [[], [], []]
    assert (sent_at_first, slept_at_first) == (1, [])
    assert clock.slept[0] == pytest.approx(40, abs=2)


def test_paths_that_hold_ids_take_no_memory(sandbox: SandboxServer) -> None:
    """One request is prepared for all: a thousand reports that are asked for one by one leave nothing behind."""
    client = HttpClient(Settings(api_key=STANDARD, base_url=sandbox.base_url), RateLimiter(Pace(None), lambda: 0.0))
    for number in range(1_000):
        request = client._wire.make_request(Call("GET", f"/reports/rpt_{number}"), "id")
        assert request.url == f"{sandbox.base_url}/reports/rpt_{number}"
    gc.collect()
    assert sum(isinstance(found, PreparedRequest) for found in gc.get_objects()) <= 2
