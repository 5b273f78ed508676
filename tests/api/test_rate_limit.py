"""The limiter: what headers announce, the tier where there are none, pauses, and many threads at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from cogny_source.api.client import Client, Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.sandbox import SandboxServer

if TYPE_CHECKING:
    from conftest import Clock

STANDARD, ENTERPRISE = "sk_live_standard_sandbox", "sk_live_enterprise_sandbox"
STANDARD_PACE = Pace(100.0)


def tell(limiter: RateLimiter, clock: Clock, remaining: int, reset_seconds: float, **more: str) -> None:
    """Let the limiter read what a server says that lives by the same clock."""
    reset = f"{clock() + reset_seconds:.0f}"
    limiter.read_headers({"X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": reset, **more})


def take_all(limiter: RateLimiter, most: int = 2000) -> tuple[int, float]:
    """How many slots there are at this moment, and the wait for the next."""
    for taken in range(most):
        if (wait_seconds := limiter.reserve_slot()) > 0:
            return taken, wait_seconds
    return most, 0.0


@pytest.mark.parametrize(
    ("limit", "reserve"), [(1, 0), (9, 0), (10, 1), (25, 2), (99, 9), (100, 10), (1000, 10), (4, 0)]
)
def test_a_tenth_of_a_window_is_left_to_others_but_ten_at_most(limit: float, reserve: int) -> None:
    """The reserve grows with the window up to its bound."""
    assert STANDARD_PACE.reserve(limit) == reserve


@pytest.mark.parametrize(("at_most", "reserve"), [(0, 0), (3, 3), (50, 50), (500, 100)])
def test_the_bound_of_the_reserve_is_a_setting(at_most: int, reserve: int) -> None:
    """Somebody who owns the account alone may leave nothing."""
    assert Pace(None, reserve_at_most=at_most).reserve(1000) == reserve


@pytest.mark.parametrize(("tier", "slots"), [(100.0, 90), (1000.0, 990), (10.0, 9), (5.0, 5), (1.0, 1), (1.9, 1)])
def test_without_headers_the_tier_paces(clock: Clock, tier: float, slots: int) -> None:
    """A minute holds the tier's requests less the reserve; the next is free when the oldest is a minute old."""
    limiter = RateLimiter(Pace(tier), clock)
    assert take_all(limiter) == (slots, 60.0)
    clock.seconds += 59
    assert limiter.reserve_slot() == 1.0
    clock.seconds += 1
    assert take_all(limiter) == (slots, 60.0)
    assert limiter.remaining is None


def test_the_tiers_minute_slides(clock: Clock) -> None:
    """No sixty seconds hold more than the tier, wherever they begin."""
    limiter = RateLimiter(Pace(3.0), clock)
    for _ in range(3):
        assert limiter.reserve_slot() == 0.0
        clock.seconds += 10
    assert limiter.reserve_slot() == 30.0
    clock.seconds += 30
    assert take_all(limiter) == (1, 10.0)


def test_unlimited_keys_do_not_wait(clock: Clock) -> None:
    """Without a tier and without headers there is always a slot."""
    assert take_all(RateLimiter(Pace(None), clock)) == (2000, 0.0)


@pytest.mark.parametrize("tier", [None, 5.0, 100.0, 1000.0])
def test_headers_win_over_the_tier(clock: Clock, tier: float | None) -> None:
    """A window that was announced is used down to the reserve, then waited out."""
    limiter = RateLimiter(Pace(tier), clock)
    assert limiter.reserve_slot() == 0.0
    tell(limiter, clock, 99, 45)
    assert limiter.remaining == 99
    assert take_all(limiter) == (89, 46.0)
    assert limiter.remaining == 10


def test_an_announced_limit_sets_the_reserve(clock: Clock) -> None:
    """Where the size of the window is told, nothing is guessed from what remains of it."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    tell(limiter, clock, 12, 45, **{"X-RateLimit-Limit": "1000"})
    assert take_all(limiter) == (2, 46.0)


def test_the_next_window_is_whole_again(clock: Clock) -> None:
    """When the reset has come, the size of the window is there again without a header."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    tell(limiter, clock, 99, 45)
    assert take_all(limiter) == (89, 46.0)
    clock.seconds += 46
    assert take_all(limiter) == (90, 60.0)


def test_what_others_use_up_is_heeded(clock: Clock) -> None:
    """The smallest count of a window is the newest, also when answers come out of order."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    for remaining in (99, 40, 60, 50):
        tell(limiter, clock, remaining, 45)
    assert limiter.remaining == 40


def test_an_empty_window_stays_empty(clock: Clock) -> None:
    """An older answer that comes late does not fill a window that is used up."""
    limiter = RateLimiter(Pace(None, reserve_at_most=0), clock)
    for remaining in (5, 0, 3):
        tell(limiter, clock, remaining, 45)
    assert limiter.remaining == 0
    assert limiter.reserve_slot() == 46.0


def test_a_new_window_replaces_the_old_count(clock: Clock) -> None:
    """A later reset begins a new count, larger though it is."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    tell(limiter, clock, 11, 5)
    clock.seconds += 5
    tell(limiter, clock, 99, 60)
    assert limiter.remaining == 99


@pytest.mark.parametrize("left", [1, 11, 30])
def test_joining_a_used_up_window_costs_that_window_only(clock: Clock, left: int) -> None:
    """What little others left says nothing about the window after it: its own headers do."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    tell(limiter, clock, left, 40)
    assert take_all(limiter)[1] == 41.0
    clock.seconds += 41
    assert limiter.reserve_slot() == 0.0
    tell(limiter, clock, 99, 60)
    assert take_all(limiter) == (89, 61.0)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_reset_is_a_time_of_the_servers_clock(clock: Clock, skew: int) -> None:
    """The wait is what the server's own clock has left, however far this machine's is off."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    date = formatdate(clock() + skew, usegmt=True)
    tell(limiter, clock, 10, skew + 30, Date=date, **{"X-RateLimit-Limit": "100"})
    assert limiter.reserve_slot() == 31.0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Reset": "1748822445"},
        {"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "1748822445"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "later"},
        {"X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "1748822445"},
    ],
    ids=str,
)
def test_headers_that_say_half_say_nothing(clock: Clock, headers: dict[str, str]) -> None:
    """A count without its reset, or nonsense, leaves the tier in charge."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    limiter.read_headers(headers)
    assert limiter.remaining is None
    assert take_all(limiter) == (90, 60.0)


@pytest.mark.parametrize("tier", [None, 100.0])
def test_a_pause_holds_everybody_back(clock: Clock, tier: float | None) -> None:
    """After a 429 no slot is given until the pause is over; a shorter pause does not end a longer one."""
    limiter = RateLimiter(Pace(tier), clock)
    limiter.pause(30)
    limiter.pause(10)
    assert limiter.reserve_slot() == 30.0
    clock.seconds += 30
    assert limiter.reserve_slot() == 0.0


def test_the_longer_of_pause_and_window_is_waited(clock: Clock) -> None:
    """A pause does not hide a window that is used up for longer, nor the other way round."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    tell(limiter, clock, 0, 45)
    limiter.pause(30)
    assert limiter.reserve_slot() == 46.0
    limiter.pause(50)
    assert limiter.reserve_slot() == 50.0


@pytest.mark.parametrize("announced", [False, True])
def test_many_threads_take_exactly_what_there_is(clock: Clock, announced: bool) -> None:
    """Sixteen threads that ask at once share the window's slots and not one more."""
    limiter = RateLimiter(STANDARD_PACE, clock)
    if announced:
        tell(limiter, clock, 100, 60, **{"X-RateLimit-Limit": "100"})
    start = threading.Barrier(16)

    def take(_: int) -> int:
        start.wait()
        return take_all(limiter)[0]

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 90


@pytest.mark.parametrize(
    ("key", "rate_headers", "sent"),
    [
        (STANDARD, True, {15: 90, 61: 90, 121: 20}),
        (STANDARD, False, {15: 90, 75: 90, 135: 20}),
        (ENTERPRISE, True, {15: 200}),
        ("sk_test_sandbox", True, {15: 200}),
    ],
)
def test_the_sandbox_never_turns_a_client_away(
    sandbox: SandboxServer,
    clock: Clock,
    make_client: Callable[..., Client],
    key: str,
    rate_headers: bool,
    sent: dict[int, int],
) -> None:
    """Two hundred requests keep to every window, with headers and without; each key at its own pace."""
    sandbox.switches.rate_headers = rate_headers
    midnight = clock() - 15
    client = make_client(sandbox.base_url, key, requests_per_minute=None if key.startswith("sk_test_") else 100.0)
    for _ in range(200):
        client.get("/warehouses", {}, Meter())
    assert Counter((record.time - midnight, record.status) for record in sandbox.requests) == {
        (second, 200): count for second, count in sent.items()
    }


def test_threads_share_one_pace(sandbox: SandboxServer, make_client: Callable[..., Client]) -> None:
    """Four threads on one client make 240 requests, and the sandbox turns none of them away."""
    client = make_client(sandbox.base_url, STANDARD, requests_per_minute=100.0)

    def read(_: int) -> None:
        for _ in range(60):
            client.get("/warehouses", {}, Meter())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert Counter(record.status for record in sandbox.requests) == {200: 240}


def test_a_window_that_others_use_is_waited_out(
    sandbox: SandboxServer, clock: Clock, make_client: Callable[..., Client], meter: Meter
) -> None:
    """A client that joins when fifteen requests are left waits once, for the reset, and is never turned away."""
    other = make_client(sandbox.base_url, STANDARD)
    for _ in range(85):
        other.get("/warehouses", {}, Meter())
    client = make_client(sandbox.base_url, STANDARD, requests_per_minute=100.0)
    for _ in range(20):
        client.get("/warehouses", {}, meter)
    assert {record.status for record in sandbox.requests} == {200}
    assert (meter.requests, meter.retries, meter.throttled) == (20, 0, 0)
    assert clock.slept == [46.0]
