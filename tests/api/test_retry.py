"""Retry: which errors are tried again, when, and what a server's headers say about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import inf

import pytest

from cogny_source.api.retry import (
    MAX_ATTEMPTS,
    describe_clock,
    parse_number,
    retry_after_seconds,
    retry_delay,
    server_epoch,
)
from cogny_source.errors import (
    AlreadyRunning,
    AuthError,
    BadRequest,
    CognyError,
    ConfigError,
    ContractError,
    FatalError,
    Forbidden,
    LoadFailed,
    NetworkError,
    NotFound,
    PaginationError,
    RateLimited,
    ServerError,
    Stopped,
    TransientError,
)

MIDNIGHT = 1748822400.0  # Mon, 02 Jun 2025 00:00:00 GMT
ATTEMPTS = range(1, 10)


@pytest.fixture(params=["UTC0", "EST5", "IST-5:30"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let this machine live in a time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize("kind", [TransientError, ServerError, NetworkError])
def test_transient_errors_back_off_exponentially_to_a_minute(kind: type[TransientError]) -> None:
    """Each attempt doubles the longest wait up to 60 s; the eighth attempt is the last."""
    delays = [retry_delay(kind("away"), attempt, 1.0) for attempt in ATTEMPTS]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, None, None]
    assert MAX_ATTEMPTS == 8


@pytest.mark.parametrize(("jitter", "delays"), [(0.0, [0.0] * 7), (0.25, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0])])
def test_back_off_is_spread_by_full_jitter(jitter: float, delays: list[float]) -> None:
    """The wait is drawn between nothing and its longest."""
    assert [retry_delay(ServerError("away"), attempt, jitter) for attempt in range(1, 8)] == delays


def test_a_429_without_advice_waits_a_minute() -> None:
    """The publisher's example waits 60 s, whatever the attempt and the jitter."""
    delays = [retry_delay(RateLimited("slow down"), attempt, 0.1) for attempt in ATTEMPTS]
    assert delays == [60.0] * 7 + [None, None]


@pytest.mark.parametrize("kind", [TransientError, ServerError, NetworkError, RateLimited])
@pytest.mark.parametrize("advice", [0.0, 1.5, 45.0, 86400.0])
def test_advice_is_followed_to_the_letter(kind: type[TransientError], advice: float) -> None:
    """What the API asks for is neither spread nor shortened, yet ends with the eighth attempt."""
    delays = [retry_delay(kind("away", retry_after_seconds=advice), attempt, 0.1) for attempt in ATTEMPTS]
    assert delays == [advice] * 7 + [None, None]


@pytest.mark.parametrize(
    "error",
    [
        kind("no")
        for kind in (
            CognyError,
            ConfigError,
            FatalError,
            AuthError,
            Forbidden,
            NotFound,
            BadRequest,
            ContractError,
            PaginationError,
            LoadFailed,
            AlreadyRunning,
        )
    ]
    + [Stopped(15)],
    ids=lambda error: type(error).__name__,
)
def test_everything_else_is_final(error: CognyError) -> None:
    """An error that repeating cannot mend is given up at once."""
    assert retry_delay(error, 1, 0.5) is None


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


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0.0), ("12", 12.0), (" 12 ", 12.0), ("1.5", 1.5), ("1e3", 1000.0)]
    + [(text, None) for text in ("", "-1", "nan", "inf", "-inf", "1e999", "twelve", "0x10", "12 s")],
)
def test_numbers_are_finite_and_not_negative(text: str, number: float | None) -> None:
    """Anything else in a header is no number."""
    assert parse_number(text) == number
    assert parse_number(text) != inf


def test_the_time_of_day_is_universal(zone: str) -> None:
    """Log lines tell the time in UTC, wherever this machine stands."""
    assert describe_clock(MIDNIGHT + 3661) == "01:01:01 UTC"
