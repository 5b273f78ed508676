"""The client: one request over a real socket, through every fault, with waits that take no time."""

from __future__ import annotations

import socket

import pytest

from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.errors import (
    NetworkError,
    RateLimited,
    ServerError,
    Unreachable,
    Untrusted,
)
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings
from tests.support.edge import Clock, Edge
from tests.support.http_clients import FAULTS, STANDARD, Made, fail

HALF_BACK_OFF = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
# What is added where the API was never reached.
BLIND = "; tried 8 times in 62 s"
# Until the next wait would pass a quarter of an hour.
OUTAGE = HALF_BACK_OFF + [30.0] * 27


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
