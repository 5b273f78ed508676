"""Retry: which errors are tried again, when, and what a server's headers say about it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cogny_source.api.retry import (
    Effort,
    Patience,
    describe_clock,
    reason_to_give_up,
    retry_after_seconds,
    retry_delay,
    server_epoch,
)
from cogny_source.errors import Contradiction, EdgeRefusal, NetworkError, RateLimited, ServerError, TransientError

MIDNIGHT = 1748822400.0  # Mon, 02 Jun 2025 00:00:00 GMT
ATTEMPTS = range(1, 10)
KINDS = [TransientError, ServerError, NetworkError]
# A quarter of an hour and an hour, the defaults.
PATIENCE = Patience(max_outage_seconds=900.0, max_wait_seconds=3600.0)


@pytest.fixture(params=["UTC0", "EST5", "IST-5:30"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let this machine live in a time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize("kind", KINDS)
def test_transient_errors_back_off_exponentially_to_a_minute(kind: type[TransientError]) -> None:
    """Each attempt doubles the longest wait up to 60 s, however many follow."""
    delays = [retry_delay(kind("away"), attempt, 1.0) for attempt in ATTEMPTS]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert retry_delay(kind("away"), 100_000, 1.0) == 60.0


@pytest.mark.parametrize(
    ("jitter", "delays"),
    [(0.25, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0]), (0.0, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.0])],
)
def test_back_off_is_spread_by_full_jitter(jitter: float, delays: list[float]) -> None:
    """The wait is drawn between next to nothing, a tenth, and its longest."""
    assert [retry_delay(ServerError("away"), attempt, jitter) for attempt in range(1, 8)] == pytest.approx(delays)


def test_a_429_without_advice_waits_a_minute() -> None:
    """The publisher's example waits 60 s, whatever the attempt and the jitter."""
    assert {retry_delay(RateLimited("slow down"), attempt, 0.1) for attempt in ATTEMPTS} == {60.0}


@pytest.mark.parametrize("kind", [*KINDS, RateLimited])
@pytest.mark.parametrize("advice", [1.0, 1.5, 45.0, 86400.0])
def test_advice_is_followed_to_the_letter(kind: type[TransientError], advice: float) -> None:
    """What the API asks for is neither spread nor shortened."""
    delays = {retry_delay(kind("away", retry_after_seconds=advice), attempt, 0.5) for attempt in ATTEMPTS}
    assert delays == {advice}


@pytest.mark.parametrize("kind", [*KINDS, RateLimited])
def test_advice_to_come_back_at_once_is_not_followed_without_end(kind: type[TransientError]) -> None:
    """Less than a second is stretched up to one, so that no attempts follow each other without a wait."""
    delays = [retry_delay(kind("away", retry_after_seconds=0.0), attempt, 0.5) for attempt in ATTEMPTS]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0])


def give_up(
    error: TransientError, delay: float, effort: Effort, patience: Patience = PATIENCE, *, reached: bool = True
) -> str | None:
    """The decision about a client that was answered before, unless told."""
    return reason_to_give_up(error, delay, effort, patience, reached=reached)


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_is_given_up_when_the_next_wait_would_pass_its_bound(kind: type[TransientError]) -> None:
    """Time counts, not attempts, and the bound itself belongs to what is borne."""
    effort = Effort(attempts=5000, waited_seconds=5000.0, away_seconds=870.0)
    assert give_up(kind("away"), 30.0, effort) is None
    assert give_up(kind("away"), 30.5, effort) == "tried 5000 times in 870 s"


def test_one_attempt_is_told_in_words() -> None:
    """A bound that the first failure passes leaves one attempt."""
    assert give_up(ServerError("away"), 1.0, Effort(attempts=1, away_seconds=899.5)) == "tried once in 900 s"


@pytest.mark.parametrize(
    ("kind", "reached", "attempts", "reason"),
    [
        (NetworkError, False, 7, None),
        (NetworkError, False, 8, "tried 8 times in 62 s"),
        (NetworkError, True, 8, None),
        (ServerError, False, 8, None),
        (RateLimited, False, 8, None),
        (EdgeRefusal, False, 7, None),
        (EdgeRefusal, False, 8, "tried 8 times in 62 s"),
        (EdgeRefusal, True, 8, None),
    ],
)
def test_an_api_that_was_never_reached_is_given_up_after_eight_attempts(
    kind: type[TransientError], reached: bool, attempts: int, reason: str | None
) -> None:
    """A wrong base URL or a machine without network is told within a minute; an outage is something else."""
    effort = Effort(attempts, waited_seconds=61.5, away_seconds=61.5)
    assert give_up(kind("away"), 30.0, effort, reached=reached) == reason


@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("error", [Contradiction("odd"), EdgeRefusal("refused", status=400)], ids=repr)
def test_what_is_no_outage_is_given_up_after_five_attempts(error: ServerError, reached: bool) -> None:
    """An answer that contradicts itself, and a 400 of the edge, pass soon or never."""
    effort = Effort(4, waited_seconds=7.5, away_seconds=7.5)
    assert give_up(error, 8.0, effort, reached=reached) is None
    effort.attempts = 5
    assert give_up(error, 8.0, effort, reached=reached) == "tried 5 times in 8 s"


def test_a_429_is_waited_for_until_its_waits_add_up() -> None:
    """Outages do not bound it: the API is there."""
    effort = Effort(attempts=5000, waited_seconds=3540.0, away_seconds=0.0)
    assert give_up(RateLimited("slow down"), 60.0, effort) is None
    reason = "waited 3540 s already, and 61 s more would exceed max_wait_seconds"
    assert give_up(RateLimited("slow down"), 61.0, effort) == reason


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ServerError("away"), "the next attempt would be in 0 s"),
        (NetworkError("away"), "the next attempt would be in 0 s"),
        (ServerError("away", retry_after_seconds=0.0), "the API asks to wait 0 s"),
        (RateLimited("slow down"), "the next attempt would be in 60 s"),
        (RateLimited("slow down", retry_after_seconds=0.0), "the API asks to wait 0 s"),
    ],
)
def test_a_wait_beyond_the_longest_is_never_borne(error: TransientError, told: str) -> None:
    """Whoever bears no wait gives up at the first one, also in an outage and when nothing is asked for."""
    patience = Patience(max_outage_seconds=900.0, max_wait_seconds=1e-9)
    reason = give_up(error, retry_delay(error, 1, 0.0), Effort(attempts=1), patience)
    assert reason == f"{told}, longer than max_wait_seconds"


def test_advice_beyond_the_longest_outage_is_told_as_such() -> None:
    """A 503 that asks for more than is borne names the setting; a 429 does not depend on it."""
    effort = Effort(attempts=1)
    reason = "the API asks to wait 901 s, longer than max_outage_seconds"
    assert give_up(ServerError("away", retry_after_seconds=901.0), 901.0, effort) == reason
    assert give_up(RateLimited("slow down", retry_after_seconds=901.0), 901.0, effort) is None


def test_an_outage_counts_from_its_first_failure() -> None:
    """Waits and slow attempts count, the time before the first failure does not."""
    effort = Effort()
    for now in (1000.0, 1070.0, 1100.0):
        effort.add_failure(ServerError("away"), now)
        effort.add_wait(10.0)
    assert (effort.attempts, effort.waited_seconds, effort.away_seconds) == (3, 30.0, 100.0)


@pytest.mark.parametrize("step", [0.0, -5.0])
def test_an_outage_lasts_as_long_as_its_waits_at_least(step: float) -> None:
    """Under a stopwatch that stands still or runs backwards an outage comes to its end."""
    effort = Effort()
    for number in range(4):
        effort.add_failure(NetworkError("away"), number * step)
        effort.add_wait(10.0)
    assert effort.away_seconds == 30.0


def test_a_429_ends_an_outage() -> None:
    """An API that turns requests away is there: what fails after it is an outage of its own."""
    effort = Effort()
    for error, now in [(ServerError("away"), 0.0), (ServerError("away"), 800.0), (RateLimited("slow down"), 850.0)]:
        effort.add_failure(error, now)
    assert effort.away_seconds == 0.0
    effort.add_wait(300.0)
    effort.add_failure(ServerError("away"), 1150.0)
    assert (effort.attempts, effort.away_seconds) == (4, 0.0)
    effort.add_wait(5.0)
    effort.add_failure(ServerError("away"), 1160.0)
    assert effort.away_seconds == 10.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 7 "}, 7.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Mon, 02 Jun 2025 00:01:30 GMT"}, 90.0),
        ({"Retry-After": "Sun, 01 Jun 2025 23:59:00 GMT"}, 0.0),
        ({"X-RateLimit-Reset": "1748822445"}, 45.0),
        ({"X-RateLimit-Reset": "1748822445.5"}, 45.5),
        ({"X-RateLimit-Reset": "1748822399"}, 0.0),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1748822445"}, 7.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "1748822445"}, 45.0),
        ({"Retry-After": "-7", "X-RateLimit-Reset": "1748822445"}, 45.0),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-7"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "Mon, 02 Jun 99999 00:01:30 GMT"}, None),
        ({"Retry-After": "Mon, 32 Jun 2025 00:01:30 GMT"}, None),
        ({"X-RateLimit-Reset": "tomorrow"}, None),
        ({"X-RateLimit-Reset": "1748822445000"}, 45.0),
        ({"X-RateLimit-Reset": "30"}, 30.0),
        ({"X-RateLimit-Reset": "1748818800"}, None),
        ({"X-RateLimit-Reset": "1748824200"}, None),
        ({"Retry-After": "1800", "X-RateLimit-Reset": "1748824200"}, 1800.0),
        ({}, None),
    ],
    ids=str,
)
def test_advice_comes_from_retry_after_else_from_the_reset(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds and HTTP dates are read; the reset of the window stands in for them; nonsense says nothing."""
    assert retry_after_seconds(headers, MIDNIGHT) == seconds


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 02 Jun 2025 00:01:30 GMT",
        "Monday, 02-Jun-25 00:01:30 GMT",
        "Mon Jun  2 00:01:30 2025",
        "Mon, 02 Jun 2025 00:01:30 -0000",
        "Mon, 02 Jun 2025 02:01:30 +0200",
    ],
)
def test_every_form_of_an_http_date_is_universal_time(zone: str, date: str) -> None:
    """All forms that HTTP allows mean the same moment, wherever this machine stands."""
    assert retry_after_seconds({"Retry-After": date}, MIDNIGHT) == 90.0
    assert server_epoch({"Date": date}, 5.0) == MIDNIGHT + 90


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "noon"}, {"Date": "Mon, 02 Jun 99999 00:00:00 GMT"}])
def test_without_a_readable_date_this_machines_clock_counts(headers: dict[str, str]) -> None:
    """Where the server tells no time, the time handed in stands."""
    assert server_epoch(headers, 5.0) == 5.0


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_an_hour_between_the_clocks_adds_no_hour_of_waiting(skew: float) -> None:
    """Dates and resets are measured against the server's own clock."""
    headers = {"Date": "Mon, 02 Jun 2025 00:00:00 GMT", "Retry-After": "Mon, 02 Jun 2025 00:00:20 GMT"}
    assert retry_after_seconds(headers, server_epoch(headers, MIDNIGHT + skew)) == 20.0
    headers = {"Date": "Mon, 02 Jun 2025 00:00:00 GMT", "X-RateLimit-Reset": "1748822420"}
    assert retry_after_seconds(headers, server_epoch(headers, MIDNIGHT + skew)) == 20.0


def test_the_time_of_day_is_universal(zone: str) -> None:
    """Log lines tell the time in UTC, wherever this machine stands."""
    assert describe_clock(MIDNIGHT + 3661) == "01:01:01 UTC"


@pytest.mark.parametrize("kind", [ServerError, NetworkError, EdgeRefusal])
def test_single_row_is_asked_for_five_times(kind: type[TransientError]) -> None:
    """An API that fails for a row that is gone would hold up each run for a quarter of an hour; lists tell too."""
    error = kind("away", status=500, path="/tickets/tkt_1")
    patience = Patience(max_outage_seconds=900.0, max_wait_seconds=3600.0)
    effort = Effort()
    for _ in range(4):
        effort.add_failure(error, 0.0)
        assert reason_to_give_up(error, 1.0, effort, patience, reached=True) is None
    effort.add_failure(error, 0.0)
    assert reason_to_give_up(error, 1.0, effort, patience, reached=True) == "tried 5 times in 0 s"
