"""The limiter: what headers announce, the tier where there are none, pauses, and many threads at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from cogny_source.api.http_client import HttpClient
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import TRIAL_SECONDS, Pace, RateLimiter
from cogny_source.errors import FatalError
from cogny_source.sandbox import SandboxServer

if TYPE_CHECKING:
    from tests.support.edge import Clock, Edge

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


@pytest.mark.parametrize(("tier", "usable"), [(None, None), (5.0, 5), (100.0, 90), (1000.0, 990)])
def test_what_the_reserve_leaves_is_told(clock: Clock, tier: float | None, usable: float | None) -> None:
    """Of each window, to whoever reckons how long something takes."""
    assert RateLimiter(Pace(tier), clock, clock).usable_requests_per_minute == usable


@pytest.mark.parametrize(("tier", "slots"), [(100.0, 90), (1000.0, 990), (10.0, 9), (5.0, 5), (1.0, 1), (1.9, 1)])
def test_without_headers_the_tier_paces(clock: Clock, tier: float, slots: int) -> None:
    """A minute holds the tier's requests less the reserve; the next is free when the oldest is a minute old."""
    limiter = RateLimiter(Pace(tier), clock, clock)
    assert take_all(limiter) == (slots, 60.0)
    clock.seconds += 59
    assert limiter.reserve_slot() == 1.0
    clock.seconds += 1
    assert take_all(limiter) == (slots, 60.0)
    assert limiter.remaining is None


@pytest.mark.parametrize("tier", [100.0, 5.0, None])
@pytest.mark.parametrize("left", [None, 3, 50, 100])
def test_spare_requests_are_those_that_need_no_wait(clock: Clock, tier: float | None, left: int | None) -> None:
    """By the headers, else by the tier, and none while all are held back; whatever this machine's own clock says."""
    limiter = RateLimiter(Pace(tier), clock, lambda: clock() + 1e6)
    if left is not None:
        tell(limiter, clock, left, 30, Date=formatdate(clock(), usegmt=True), **{"X-RateLimit-Limit": "100"})
    spare = limiter.spare
    assert spare == (None if tier is None and left is None else take_all(limiter)[0])
    assert limiter.spare == (None if spare is None else 0)
    clock.seconds += 61
    limiter.pause(5)
    assert limiter.spare == 0


def test_the_tiers_minute_slides(clock: Clock) -> None:
    """No sixty seconds hold more than the tier, wherever they begin."""
    limiter = RateLimiter(Pace(3.0), clock, clock)
    for _ in range(3):
        assert limiter.reserve_slot() == 0.0
        clock.seconds += 10
    assert limiter.reserve_slot() == 30.0
    clock.seconds += 30
    assert take_all(limiter) == (1, 10.0)


def test_unlimited_keys_do_not_wait(clock: Clock) -> None:
    """Without a tier and without headers there is always a slot."""
    assert take_all(RateLimiter(Pace(None), clock, clock)) == (2000, 0.0)


@pytest.mark.parametrize("tier", [None, 5.0, 100.0, 1000.0])
def test_headers_win_over_the_tier(clock: Clock, tier: float | None) -> None:
    """A window that was announced is used down to the reserve, then waited out."""
    limiter = RateLimiter(Pace(tier), clock, clock)
    assert limiter.reserve_slot() == 0.0
    tell(limiter, clock, 99, 45)
    assert limiter.remaining == 99
    assert take_all(limiter) == (89, 46.0)
    assert limiter.remaining == 10


def test_an_announced_limit_sets_the_reserve(clock: Clock) -> None:
    """Where the size of the window is told, nothing is guessed from what remains of it."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, 12, 45, **{"X-RateLimit-Limit": "1000"})
    assert take_all(limiter) == (2, 46.0)


def test_the_next_window_is_whole_again(clock: Clock) -> None:
    """When the reset has come, the size of the window is there again without a header."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, 99, 45)
    assert take_all(limiter) == (89, 46.0)
    clock.seconds += 46
    assert take_all(limiter) == (90, 60.0)


def test_what_others_use_up_is_heeded(clock: Clock) -> None:
    """The smallest count of a window is the newest, also when answers come out of order."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    for remaining in (99, 40, 60, 50):
        tell(limiter, clock, remaining, 45)
    assert limiter.remaining == 40


def test_an_empty_window_stays_empty(clock: Clock) -> None:
    """An older answer that comes late does not fill a window that is used up."""
    limiter = RateLimiter(Pace(None, reserve_at_most=0), clock, clock)
    for remaining in (5, 0, 3):
        tell(limiter, clock, remaining, 45)
    assert limiter.remaining == 0
    assert limiter.reserve_slot() == 46.0


def test_a_new_window_replaces_the_old_count(clock: Clock) -> None:
    """A later reset begins a new count, larger though it is."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, 11, 5)
    clock.seconds += 5
    tell(limiter, clock, 99, 60)
    assert limiter.remaining == 99


@pytest.mark.parametrize("left", [1, 11, 30])
def test_joining_a_used_up_window_costs_that_window_only(clock: Clock, left: int) -> None:
    """What little others left says nothing about the window after it: its own headers do."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, left, 40)
    assert take_all(limiter)[1] == 41.0
    clock.seconds += 41
    assert limiter.reserve_slot() == 0.0
    tell(limiter, clock, 99, 60)
    assert take_all(limiter) == (89, 61.0)


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_the_reset_is_a_time_of_the_servers_clock(clock: Clock, skew: int) -> None:
    """The wait is what the server's own clock has left, however far this machine's is off."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
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
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    limiter.read_headers(headers)
    assert limiter.remaining is None
    assert take_all(limiter) == (90, 60.0)


@pytest.mark.parametrize("tier", [None, 100.0])
def test_a_pause_holds_everybody_back(clock: Clock, tier: float | None) -> None:
    """After a 429 no slot is given until the pause is over; a shorter pause does not end a longer one."""
    limiter = RateLimiter(Pace(tier), clock, clock)
    limiter.pause(30)
    limiter.pause(10)
    assert limiter.reserve_slot() == 30.0
    clock.seconds += 30
    assert limiter.reserve_slot() == 0.0


def test_the_longer_of_pause_and_window_is_waited(clock: Clock) -> None:
    """A pause does not hide a window that is used up for longer, nor the other way round."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, 0, 45)
    limiter.pause(30)
    assert limiter.reserve_slot() == 46.0
    limiter.pause(50)
    assert limiter.reserve_slot() == 50.0


@pytest.mark.parametrize("announced", [False, True])
def test_many_threads_take_exactly_what_there_is(clock: Clock, announced: bool) -> None:
    """Sixteen threads that ask at once share the window's slots and not one more."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
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
    make_client: Callable[..., HttpClient],
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


def test_threads_share_one_pace(sandbox: SandboxServer, make_client: Callable[..., HttpClient]) -> None:
    """Four threads on one client make 240 requests, and the sandbox turns none of them away."""
    client = make_client(sandbox.base_url, STANDARD, requests_per_minute=100.0)

    def read(_: int) -> None:
        for _ in range(60):
            client.get("/warehouses", {}, Meter())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert Counter(record.status for record in sandbox.requests) == {200: 240}


def test_a_window_that_others_use_is_waited_out(
    sandbox: SandboxServer, clock: Clock, make_client: Callable[..., HttpClient], meter: Meter
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


@pytest.mark.parametrize(
    "reset", ["{epoch}", "{epoch}000", "{epoch}000000", "30", "2025-06-02T00:00:45Z", "Mon, 02 Jun 2025 00:00:45 GMT"]
)
def test_a_reset_of_any_form_paces(clock: Clock, reset: str) -> None:
    """Milliseconds, seconds left and dates announce a window as epoch seconds do."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    told = reset.format(epoch=f"{clock() + 30:.0f}")
    limiter.read_headers({"X-RateLimit-Remaining": "10", "X-RateLimit-Limit": "100", "X-RateLimit-Reset": told})
    assert limiter.reserve_slot() == 31.0


@pytest.mark.parametrize("reset", ["{past}", "{ahead}", "{ahead}000", "-30", "1e30", "nonsense"])
def test_a_reset_of_no_use_leaves_the_tier_in_charge(clock: Clock, reset: str) -> None:
    """An hour past, half an hour ahead of a minute's window, and nonsense announce nothing."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    told = reset.format(past=f"{clock() - 3600:.0f}", ahead=f"{clock() + 1800:.0f}")
    limiter.read_headers({"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "100", "X-RateLimit-Reset": told})
    assert take_all(limiter) == (90, 60.0)


def test_a_reset_far_ahead_is_believed_where_retry_after_says_so_too(clock: Clock) -> None:
    """Two headers that agree are no wrong clock."""
    limiter = RateLimiter(STANDARD_PACE, clock, clock)
    tell(limiter, clock, 0, 1800, **{"Retry-After": "1800"})
    assert limiter.reserve_slot() == 1801.0


@pytest.mark.parametrize("step", [-7200.0, -1800.0, 1800.0, 86400.0])
def test_a_clock_that_is_set_changes_no_wait(step: float) -> None:
    """What is waited for goes by the stopwatch, whatever is done to this machine's clock meanwhile."""
    stopwatch, wall = [5.0], [1748822415.0]
    limiter = RateLimiter(STANDARD_PACE, lambda: stopwatch[0], lambda: wall[0])
    told = {"X-RateLimit-Remaining": "10", "X-RateLimit-Limit": "100", "X-RateLimit-Reset": "1748822445"}
    limiter.read_headers(told)
    wall[0] += step
    assert limiter.reserve_slot() == 31.0
    limiter.pause(40.0)
    wall[0] += step
    assert limiter.reserve_slot() == 40.0
    stopwatch[0] += 40.0
    assert limiter.reserve_slot() == 0.0


def refuse_in_a_row(limiter: RateLimiter, clock: Clock, advice: float | None, times: int) -> list[float]:
    """The least waits after so many refusals, each after the wait for the one before."""
    waits = []
    for _ in range(times):
        waits.append(limiter.refuse(clock(), advice))
        clock.seconds += max(waits[-1], advice or 0.0)
    return waits


def test_refusals_in_a_row_are_waited_for_longer_and_longer(clock: Clock) -> None:
    """An API that asks to come back at once is asked again after 1, 2, 4 and at most 60 seconds."""
    waits = refuse_in_a_row(RateLimiter(Pace(None), clock, clock), clock, 0.0, 9)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_advice_that_did_not_help_is_stretched(clock: Clock) -> None:
    """What the API asks for counts first; a wait that was too short again and again becomes a longer one."""
    waits = refuse_in_a_row(RateLimiter(Pace(None), clock, clock), clock, 3.0, 8)
    assert waits == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_what_was_enough_is_waited_at_once_next_time(clock: Clock) -> None:
    """The second window that is used up costs one refusal."""
    limiter = RateLimiter(Pace(None), clock, clock)
    refuse_in_a_row(limiter, clock, 0.0, 3)
    limiter.settle(clock(), answered=True)
    clock.seconds += 20
    assert limiter.refuse(clock(), 0.0) == 7.0


def test_requests_that_were_under_way_together_are_one_refusal(clock: Clock) -> None:
    """Eight readers that are turned away at once wait no longer than one."""
    limiter = RateLimiter(Pace(None), clock, clock)
    sent_at = clock()
    clock.seconds += 0.2
    assert {limiter.refuse(sent_at, 0.0) for _ in range(8)} == {1.0}


def test_after_a_refusal_one_request_goes_first(clock: Clock) -> None:
    """The others wait for its answer; one that never comes holds them for five seconds at most."""
    limiter = RateLimiter(Pace(None), clock, clock)
    limiter.pause(limiter.refuse(clock(), 0.0))
    clock.seconds += 1
    assert [limiter.reserve_slot() for _ in range(3)] == [0.0, TRIAL_SECONDS, TRIAL_SECONDS]
    clock.seconds += 5
    assert [limiter.reserve_slot() for _ in range(2)] == [0.0, TRIAL_SECONDS]
    limiter.settle(clock(), answered=True)
    assert [limiter.reserve_slot() for _ in range(3)] == [0.0] * 3


@pytest.mark.parametrize("status", [400, 404])
def test_answer_that_says_no_is_taken_too(
    edge: Edge, clock: Clock, make_client: Callable[..., HttpClient], status: int
) -> None:
    """After a 429, single rows that are gone are asked for one after the other without a wait between them."""
    edge.will_answer({"success": False}, 429, {"Retry-After": "3"})
    edge.will_answer({"success": False}, status)
    client = make_client(edge.base_url)
    for key in ("a", "b", "c"):
        with pytest.raises(FatalError):
            client.get(f"/tickets/{key}", {}, Meter())
    assert len(clock.slept) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0"},
        {"Retry-After": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1748818800"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1748818800"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "-1"},
        {},
    ],
    ids=str,
)
def test_an_api_that_gives_no_useful_advice_turns_away_few_requests(
    edge: Edge, clock: Clock, make_client: Callable[..., HttpClient], headers: dict[str, str]
) -> None:
    """A first load of 65 requests beside a limit of 30 a minute sees ten answers of 429 at most."""
    answered: list[float] = []

    def answer() -> tuple[int, dict[str, str]]:
        window = clock() // 60
        if sum(at // 60 == window for at in answered) >= 30:
            return 429, headers
        answered.append(clock())
        return 200, {}

    edge.decides = answer
    edge.will_answer({"success": True, "data": []})
    client, meter = make_client(edge.base_url), Meter()
    for _ in range(65):
        client.get("/tickets", {}, meter)
    assert len(answered) == 65
    assert meter.throttled <= 10
