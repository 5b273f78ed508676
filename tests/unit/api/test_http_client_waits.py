"""The client: what it waits for, and for how long."""

from __future__ import annotations

import pytest

from cogny_source.api.http_client import HASTY_SECONDS, HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import TRIAL_SECONDS, Pace, RateLimiter
from cogny_source.errors import (
    RateLimited,
    ServerError,
    Stopped,
)
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings
from tests.support.edge import Clock, Edge
from tests.support.http_clients import OK, STANDARD, Made, fail


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


@pytest.mark.parametrize("seconds", [1, 50])
def test_a_request_without_patience_is_not_repeated_after_a_429(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter, seconds: int
) -> None:
    """A later run can send it as well; the wait holds for the requests after it."""
    sandbox.switches.retry_after_seconds = seconds
    sandbox.fail_next("rate_limited")
    client = make_client(sandbox.base_url)
    with pytest.raises(RateLimited, match=f"{seconds} s to wait, and the request can wait for a later run"):
        client.get("/warehouses", {}, meter, patient=False)
    assert (clock.slept, meter) == ([], Meter(requests=1, throttled=1))
    client.get("/warehouses", {}, meter)
    assert clock.slept == [float(seconds)]


def test_a_request_without_patience_waits_for_a_window_and_no_longer(
    sandbox: SandboxServer, clock: Clock, make_client: Made, meter: Meter
) -> None:
    """The next window of a minute comes in time; a pause of hours does not."""
    client = make_client(sandbox.base_url, requests_per_minute=2.0)
    for _ in range(3):
        client.get("/warehouses", {}, Meter(), patient=False)
    assert clock.slept == [60.0]
    sandbox.switches.retry_after_seconds = 7200
    sandbox.fail_next("rate_limited")
    for sent in (1, 0):
        with pytest.raises(RateLimited):
            client.get("/warehouses", {}, meter, patient=False)
        assert meter.requests == 1, sent
    assert clock.slept == [60.0]


def test_failures_without_patience_end_at_a_deadline(sandbox: SandboxServer, clock: Clock, make_client: Made) -> None:
    """However long an outage the settings bear."""
    began = clock()
    sandbox.switches.error_500 = 1.0
    with pytest.raises(ServerError):
        make_client(sandbox.base_url, max_outage_seconds=36_000.0).get("/tickets", {}, Meter(), patient=False)
    assert HASTY_SECONDS / 2 <= clock() - began <= HASTY_SECONDS
