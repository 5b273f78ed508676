"""The client: one request over a real socket, through every fault, with waits that take no time."""

from __future__ import annotations

import gc
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from requests import PreparedRequest

from cogny_source.api.auth import KeyAuth
from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import TRIAL_SECONDS, Pace, RateLimiter
from cogny_source.errors import (
    AuthError,
    BadRequest,
    CognyError,
    ContractError,
    EdgeRefusal,
    FatalError,
    Forbidden,
    NetworkError,
    NotFound,
    RateLimited,
    ServerError,
    Stopped,
    TransientError,
    Unreachable,
    Untrusted,
)
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings

if TYPE_CHECKING:
    from tests.support.edge import Clock, Edge

Made = Callable[..., HttpClient]

STANDARD, REPORTS_ONLY = "sk_live_standard_sandbox", "sk_live_reports_only_sandbox"
SECRET = "sk_live_7f3a9c51d2e84b60"
OK = {"success": True, "data": [], "meta": {}}
# Each fault with its error, and the status that the sandbox noted.
FAULTS: dict[str, tuple[type[TransientError], int, str]] = {
    "reset": (NetworkError, 0, "the connection failed or was reset"),
    "html_502": (ServerError, 502, "the API is away (no JSON in the answer)"),
    "html_521": (ServerError, 521, "the API is away (no JSON in the answer)"),
    "error_500": (ServerError, 500, "the query could not be run"),
    "empty_200": (ServerError, 200, "the answer is empty"),
    "success_false": (ServerError, 200, "a part of the service is not available"),
    "cut_short": (NetworkError, 200, "the answer was cut short"),
}
HALF_BACK_OFF = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
# What is added where the API was never reached.
BLIND = "; tried 8 times in 62 s"
# Until the next wait would pass a quarter of an hour.
OUTAGE = HALF_BACK_OFF + [30.0] * 27


def fail(client: HttpClient, path: str = "/tickets", meter: Meter | None = None, **more: Any) -> CognyError:
    """The error that a request ends with."""
    with pytest.raises(CognyError) as caught:
        client.get(path, {}, meter or Meter(), **more)
    return caught.value


def test_an_answer_costs_one_request(sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter) -> None:
    """Without a fault a request is sent once and nothing is waited for."""
    answer = make_client(sandbox.base_url).get("/tickets", {"limit": 3, "sort": "created_at"}, meter)
    assert answer.data == sandbox.world.rows("tickets")[:3]
    assert answer.server_time == sandbox.world.now
    assert [(record.method, record.path, record.params) for record in sandbox.requests] == [
        ("GET", "/v1/tickets", {"limit": "3", "sort": "created_at"})
    ]
    assert (meter, clock.slept) == (Meter(requests=1), [])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_survived(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter, fault: str
) -> None:
    """A request that a fault strikes twice is sent a third time, after longer and longer waits."""
    sandbox.fail_next(fault, fault)
    answer = make_client(sandbox.base_url).get("/warehouses", {}, meter)
    assert answer.data == sandbox.world.rows("warehouses")
    assert [record.status for record in sandbox.requests] == [FAULTS[fault][1]] * 2 + [200]
    assert clock.slept == [0.5, 1.0]
    assert meter == Meter(requests=3, retries=2, waited_seconds=1.5)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_given_up_after_a_quarter_of_an_hour(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter, fault: str
) -> None:
    """The error says what happened and how long it was borne; no wait follows the last attempt."""
    client = make_client(sandbox.base_url)
    client.get("/warehouses", {}, Meter())
    setattr(sandbox.switches, fault, 1.0)
    error = fail(client, meter=meter)
    kind, status, message = FAULTS[fault]
    told = f"{message}; tried 35 times in 872 s"
    assert (type(error), error.message, error.path) == (kind, told, "/tickets")
    assert error.status == (None if kind is NetworkError else status)
    assert [record.status for record in sandbox.requests] == [200] + [status] * 35
    assert clock.slept == OUTAGE
    assert meter == Meter(requests=35, retries=34, waited_seconds=871.5)


def test_an_api_that_is_away_from_the_start_is_waited_for(
    sandbox: SandboxServer, make_client: Made, meter: Meter
) -> None:
    """Whatever answers in its place shows that the way to it is open: a 521 is borne as long as any outage."""
    sandbox.switches.away = True
    error = fail(make_client(sandbox.base_url), meter=meter)
    assert (type(error), error.status, meter.requests) == (ServerError, 521, 35)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_outage_of_ten_minutes_is_waited_for(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each repeat is told, at least once a minute, and the request is answered once the API is back."""
    client = make_client(sandbox.base_url)
    client.get("/warehouses", {}, Meter())
    start = clock()
    setattr(sandbox.switches, fault, 1.0)
    clock.on_sleep = lambda: sandbox.switches.update({fault: 1.0 if clock() < start + 600 else 0.0})
    assert client.get("/warehouses", {}, meter).data == sandbox.world.rows("warehouses")
    assert clock.slept == OUTAGE[:25]
    assert meter == Meter(requests=26, retries=25, waited_seconds=601.5)
    repeats = [text for text in caplog.messages if "is repeated in" in text]
    assert [text.split("; ")[1] for text in repeats] == [
        f"attempt {number} is repeated in {delay:.1f} s" for number, delay in enumerate(OUTAGE[:25], 1)
    ]


def test_time_counts_in_an_outage_and_not_attempts(sandbox: SandboxServer, make_client: Made, clock: Clock) -> None:
    """Attempts that take their time are fewer, and the bound is a setting."""
    client = make_client(sandbox.base_url, max_outage_seconds=300.0)
    sandbox.switches.error_500 = 1.0
    clock.on_sleep = lambda: setattr(clock, "seconds", clock.seconds + 60.0)
    error = fail(client)
    assert error.message == "the query could not be run; tried 6 times in 316 s"
    assert clock.slept == HALF_BACK_OFF[:5]


def test_each_request_has_an_outage_of_its_own(sandbox: SandboxServer, make_client: Made, clock: Clock) -> None:
    """What one request waited for is not held against the next."""
    client = make_client(sandbox.base_url, max_outage_seconds=10.0)
    for _ in range(5):
        sandbox.fail_next("html_521", "html_521", "html_521")
        client.get("/warehouses", {}, Meter())
    assert clock.slept == [0.5, 1.0, 2.0] * 5


def test_without_chance_and_without_time_an_outage_still_ends(sandbox: SandboxServer) -> None:
    """Where no wait takes any time and each draw is zero, what was to be waited counts."""
    waits: list[float] = []
    timing = Timing(clock=lambda: 0.0, sleep=waits.append, jitter=lambda: 0.0, stopwatch=lambda: 0.0)
    client = HttpClient(
        Settings(api_key=STANDARD, base_url=sandbox.base_url), RateLimiter(Pace(None), lambda: 0.0), timing
    )
    sandbox.switches.away = True
    assert fail(client).message == "the API is away (no JSON in the answer); tried 155 times in 894 s"
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [6.0] * 148)
    client.close()


def test_an_api_that_asks_to_come_back_at_once_is_not_asked_without_end(
    edge: Edge, make_client: Made, clock: Clock, meter: Meter
) -> None:
    """A 429 that names no time at all is waited for longer and longer, until the waits add up."""
    edge.will_answer({"success": False}, 429, {"Retry-After": "0"})
    error = fail(make_client(edge.base_url, max_wait_seconds=190.0), meter=meter)
    assert clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert error.message == (
        "the rate limit is used up; waited 183 s already, and 60 s more would exceed max_wait_seconds"
    )
    assert (type(error), meter.throttled) == (RateLimited, 9)


def test_faults_of_all_kinds_in_a_row_are_survived(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """Seven attempts fail, each in its own way, and the eighth is answered."""
    sandbox.fail_next(*FAULTS)
    assert make_client(sandbox.base_url).get("/warehouses", {}, meter).data == sandbox.world.rows("warehouses")
    assert clock.slept == HALF_BACK_OFF
    assert meter == Meter(requests=8, retries=7, waited_seconds=61.5)


def test_a_stalled_answer_is_not_waited_for(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """An answer that does not come within the time-out is asked for again."""
    sandbox.switches.stall = 1.0
    clock.on_sleep = lambda: sandbox.switches.update({"stall": 0.0})
    client = make_client(sandbox.base_url, read_timeout_seconds=0.05)
    assert client.get("/warehouses", {}, meter).data == sandbox.world.rows("warehouses")
    assert (clock.slept, meter) == ([0.5], Meter(requests=2, retries=1, waited_seconds=0.5))


def test_a_server_that_never_answers_is_given_up(sandbox: SandboxServer, make_client: Made, meter: Meter) -> None:
    """The error tells the time-out, and eight attempts are enough where no answer ever came."""
    sandbox.switches.stall = 1.0
    error = fail(make_client(sandbox.base_url, read_timeout_seconds=0.01), meter=meter)
    assert (type(error), error.message) == (NetworkError, f"no answer within 0.01 s{BLIND}")
    assert meter.requests == 8


def test_a_server_that_dribbles_does_not_hold_a_run(
    sandbox: SandboxServer, clock: Clock, meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    """By the real time, a body whose every read is quick is left at the deadline of the whole and asked for again."""
    sandbox.switches.stall_seconds = 2.0
    sandbox.fail_next("dribble")
    settings = Settings(api_key=STANDARD, base_url=sandbox.base_url, read_timeout_seconds=0.2)
    client = HttpClient(settings, RateLimiter(Pace(None), clock), Timing(clock, clock.sleep))
    assert client.get("/warehouses", {}, meter).data == sandbox.world.rows("warehouses")
    assert (meter.requests, caplog.messages[0].split(" (")[0]) == (2, "the answer did not end within 1 s")
    client.close()


def test_a_body_that_stalls_half_way_is_told_as_such(edge: Edge, make_client: Made) -> None:
    """A time-out within the body is a time-out, not a reset."""
    edge.will_answer(b'{"success":', headers={"Content-Length": "500"}, hangs=True)
    error = fail(make_client(edge.base_url, read_timeout_seconds=0.01, max_outage_seconds=1.0))
    assert (type(error), error.message) == (NetworkError, "no answer within 0.01 s; tried 2 times in 0 s")


def test_a_body_that_cannot_be_unpacked_is_cut_short(edge: Edge, make_client: Made) -> None:
    """Compression that breaks off is tried again like any other body that does."""
    edge.will_answer(b"no gzip", headers={"Content-Encoding": "gzip"})
    error = fail(make_client(edge.base_url, max_outage_seconds=1.0))
    assert (type(error), error.message) == (NetworkError, "the answer was cut short; tried 2 times in 0 s")
    assert len(edge.received) == 2


def test_a_closed_port_is_given_up_after_eight_attempts(make_client: Made, meter: Meter) -> None:
    """Where nobody ever listened the base URL may be wrong, and a minute is enough to tell."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        error = fail(make_client(f"http://{address}/v1"), meter=meter)
    message = f"cannot connect to {address}: connection refused{BLIND}"
    assert (type(error), error.message, error.request_id) == (Unreachable, message, None)
    assert (error.status, meter.requests) == (None, 8)


def test_a_name_that_cannot_be_resolved_is_told(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what to check."""

    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = fail(make_client("https://api.cogny.example/v1"))
    told = "the host name cannot be resolved: no network, or a wrong base URL"
    message = f"cannot connect to api.cogny.example:443: {told}{BLIND}"
    assert (type(error), error.message) == (Unreachable, message)


def test_a_connection_that_takes_too_long_is_told(make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message tells the time-out of the connection."""

    def connect(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    error = fail(make_client("https://api.cogny.example/v1", connect_timeout_seconds=2.5))
    message = f"cannot connect to api.cogny.example:443: no connection within 2.5 s{BLIND}"
    assert (type(error), error.message) == (Unreachable, message)


def test_a_server_without_tls_is_told(edge: Edge, make_client: Made) -> None:
    """A port that speaks http under an https address is told at once."""
    error = fail(make_client(edge.base_url.replace("http://", "https://")))
    message = "what answers at base_url speaks no TLS: check its host and port, and the proxy"
    assert (type(error), error.message) == (Untrusted, message)


def test_a_proxy_that_refuses_is_told(edge: Edge, make_client: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the way is named, and never shown the key."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, edge.base_url.removesuffix("/v1"))
    error = fail(make_client("https://api.cogny.example/v1"))
    message = f"cannot connect to api.cogny.example:443: the proxy refused the connection{BLIND}"
    assert (type(error), error.message) == (Unreachable, message)
    assert edge.received == []


@pytest.mark.parametrize(("form", "offset"), [("seconds", 0.0), ("seconds", 3600.0), ("date", 0.0), ("date", -7200.0)])
def test_a_429_is_waited_out_as_it_asks(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter, form: str, offset: float
) -> None:
    """Seconds and dates mean the same wait, however far the two clocks are apart."""
    sandbox.switches.update({"retry_after": form, "retry_after_seconds": 7, "clock_offset_seconds": offset})
    sandbox.fail_next("rate_limited", "rate_limited")
    assert make_client(sandbox.base_url).get("/warehouses", {}, meter).data == sandbox.world.rows("warehouses")
    assert clock.slept == [7.0, 7.0]
    assert meter == Meter(requests=3, retries=2, throttled=2, waited_seconds=14.0)


def test_a_429_without_any_advice_waits_a_minute(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """Neither Retry-After nor rate-limit headers: the publisher's 60 s."""
    sandbox.switches.retry_after = "none"
    sandbox.fail_next("rate_limited")
    make_client(sandbox.base_url).get("/warehouses", {}, meter)
    assert (clock.slept, meter.throttled) == ([60.0], 1)


@pytest.mark.parametrize(
    ("form", "rate_headers", "waits"),
    [
        ("seconds", True, [45.0, 1.0]),
        ("date", True, [45.0, 1.0]),
        ("none", True, [45.0, 1.0]),
        ("seconds", False, [45.0]),
        ("date", False, [45.0]),
        ("none", False, [60.0]),
    ],
)
def test_a_full_window_is_waited_out_once(
    sandbox: SandboxServer,
    clock: Clock,
    make_client: Made,
    meter: Meter,
    form: str,
    rate_headers: bool,
    waits: list[float],
) -> None:
    """A window that others have used up turns one request away; the next comes after the reset."""
    sandbox.switches.update({"retry_after": form, "rate_headers": rate_headers})
    other = make_client(sandbox.base_url, STANDARD, reserve_requests=0)
    for _ in range(100):
        other.get("/warehouses", {}, Meter())
    make_client(sandbox.base_url, STANDARD).get("/warehouses", {}, meter)
    assert clock.slept == waits
    assert [record.status for record in sandbox.requests] == [200] * 100 + [429, 200]
    assert meter == Meter(requests=2, retries=1, throttled=1, waited_seconds=sum(waits))


def test_a_lasting_429_is_given_up_when_its_waits_add_up(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """An API that keeps asking for patience gets as much of it as there is, however short an outage may be."""
    sandbox.switches.update({"rate_limited": 1.0, "retry_after_seconds": 3})
    error = fail(make_client(sandbox.base_url, max_wait_seconds=60.0, max_outage_seconds=5.0), meter=meter)
    assert (type(error), error.code, clock.slept) == (
        RateLimited,
        "RATE_LIMIT_EXCEEDED",
        [3.0, 3.0, 3.0, 4.0, 8.0, 16.0],
    )
    assert error.message == "too many requests; waited 37 s already, and 30 s more would exceed max_wait_seconds"
    assert meter == Meter(requests=7, retries=6, throttled=7, waited_seconds=37.0)


def test_a_429_holds_back_every_user_of_the_limiter(sandbox: SandboxServer, clock: Clock) -> None:
    """Whoever shares the pace waits as long as the one that was turned away; then one request goes first."""
    limiter = RateLimiter(Pace(None), clock, clock)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(limiter.reserve_slot())
        clock.sleep(seconds)
        waits.append(limiter.reserve_slot())
        waits.append(limiter.reserve_slot())
        limiter.settle(clock(), answered=False)

    sandbox.fail_next("rate_limited")
    timing = Timing(clock, sleep, stopwatch=clock)
    client = HttpClient(Settings(api_key=STANDARD, base_url=sandbox.base_url), limiter, timing)
    client.get("/warehouses", {}, Meter())
    client.close()
    assert waits == [1.0, 0.0, TRIAL_SECONDS]


def test_a_503_with_retry_after_is_waited_out_as_it_asks(edge: Edge, make_client: Made, clock: Clock) -> None:
    """Advice counts on any failure that may pass, an hour between the clocks or not."""
    date = {"Date": "Mon, 02 Jun 2025 01:00:00 GMT"}
    edge.will_answer(b"", 503, {**date, "Retry-After": "9"})
    edge.will_answer(b"", 503, {**date, "Retry-After": "Mon, 02 Jun 2025 01:00:11 GMT"})
    edge.will_answer(b"", 503, {**date, "X-RateLimit-Reset": "1748826045"})
    edge.will_answer(OK)
    make_client(edge.base_url).get("/tickets", {}, Meter())
    assert clock.slept == [9.0, 11.0, 2.0]


def test_a_wait_beyond_the_budget_is_given_up_as_rate_limited(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """The wait is neither begun nor shortened."""
    sandbox.switches.update({"rate_limited": 1.0, "retry_after_seconds": 7200})
    error = fail(make_client(sandbox.base_url, max_wait_seconds=7199.0), meter=meter)
    assert (type(error), error.message) == (
        RateLimited,
        "too many requests; the API asks to wait 7200 s, longer than max_wait_seconds",
    )
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 7200.0
    assert (clock.slept, meter) == ([], Meter(requests=1, throttled=1))


def test_a_wait_that_just_fits_the_budget_is_waited(sandbox: SandboxServer, clock: Clock, make_client: Made) -> None:
    """The budget itself is not beyond it."""
    sandbox.switches.retry_after_seconds = 7200
    sandbox.fail_next("rate_limited")
    make_client(sandbox.base_url, max_wait_seconds=7200.0).get("/warehouses", {}, Meter())
    assert clock.slept == [7200.0]


def test_a_used_up_window_beyond_the_budget_is_given_up_as_rate_limited(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """Where the limiter itself would wait too long, no request is sent."""
    client = make_client(sandbox.base_url, requests_per_minute=2.0, max_wait_seconds=59.0)
    for _ in range(2):
        client.get("/warehouses", {}, Meter())
    error = fail(client, "/warehouses", meter)
    assert isinstance(error, RateLimited)
    assert str(error) == (
        "the rate limit is used up for another 60 s, longer than max_wait_seconds=59 (path /warehouses)"
    )
    assert (error.retry_after_seconds, clock.slept, meter) == (60.0, [], Meter())


def test_a_back_off_beyond_the_budget_is_not_blamed_on_the_api(
    sandbox: SandboxServer, clock: Clock, make_client: Made
) -> None:
    """The API asked for nothing: the error says whose wait it is."""
    sandbox.switches.error_500 = 1.0
    error = fail(make_client(sandbox.base_url, max_wait_seconds=1.5))
    assert (type(error), clock.slept) == (ServerError, [0.5, 1.0])
    assert error.message == "the query could not be run; the next attempt would be in 2 s, longer than max_wait_seconds"


def test_the_limiters_wait_is_waited_and_counted(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """The third request of a tier of two waits for the first to be a minute old."""
    client = make_client(sandbox.base_url, requests_per_minute=2.0)
    for _ in range(3):
        client.get("/warehouses", {}, meter)
    assert (clock.slept, meter) == ([60.0], Meter(requests=3, waited_seconds=60.0))


def test_a_wait_that_is_stopped_ends_the_request(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """Whoever interrupts the sleep is heard, and nothing is sent after it."""

    def stop() -> None:
        raise Stopped(15)

    clock.on_sleep = stop
    sandbox.fail_next("error_500")
    assert type(fail(make_client(sandbox.base_url), meter=meter)) is Stopped
    assert meter == Meter(requests=1, retries=1)


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
        request = client._make_request(f"/reports/rpt_{number}", {}, "id")
        assert request.url == f"{sandbox.base_url}/reports/rpt_{number}"
    gc.collect()
    assert sum(isinstance(found, PreparedRequest) for found in gc.get_objects()) <= 2
