"""Rate limits: windows on an injected clock, headers, and the forms of Retry-After."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests

from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.limits import Allowance, Limiter

STANDARD, ENTERPRISE, TEST = "sk_live_standard_sandbox", "sk_live_enterprise_sandbox", "sk_test_sandbox"
MIDNIGHT = datetime(2025, 6, 2, tzinfo=UTC).timestamp()


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        """Begin a quarter past a full minute."""
        self.seconds = MIDNIGHT + 15

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """The clock of the server."""
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Iterator[SandboxServer]:
    """A server that grants two requests in each window to every live key."""
    with SandboxServer(World(tickets=1, now=datetime(2025, 6, 1, tzinfo=UTC)), clock=clock) as sandbox:
        sandbox.switches.requests_per_minute = 2
        yield sandbox


def ask(sandbox: SandboxServer, key: str = STANDARD, path: str = "/tickets") -> requests.Response:
    """One request with a key."""
    return requests.get(sandbox.base_url + path, headers={"Authorization": f"Bearer {key}"}, timeout=5)


def test_windows_are_counted_by_key_and_begin_anew() -> None:
    """A full window turns requests away without counting them; the next one is empty again."""
    limiter = Limiter()
    assert [limiter.take("a", 2, 10.0) for _ in range(3)] == [
        Allowance(True, 1, 50.0),
        Allowance(True, 0, 50.0),
        Allowance(False, 0, 50.0),
    ]
    assert limiter.take("b", 2, 59.0) == Allowance(True, 1, 1.0)
    assert limiter.take("a", 2, 60.0) == Allowance(True, 1, 60.0)


@pytest.mark.parametrize(("limit", "window", "granted"), [(100, 6.0, 10), (100, 0.1, 1), (0, 60.0, 0)])
def test_a_window_grants_its_share_of_a_minute(limit: int, window: float, granted: int) -> None:
    """A shorter window grants less, but never nothing unless the limit is nothing."""
    limiter = Limiter()
    assert sum(limiter.take("a", limit, 0.0, window).granted for _ in range(200)) == granted


@pytest.mark.parametrize(("key", "remaining"), [(STANDARD, "99"), (ENTERPRISE, "999")])
def test_tiers(limited: SandboxServer, key: str, remaining: str) -> None:
    """Standard keys have 100 requests a minute, enterprise keys 1000; the headers tell."""
    limited.switches.requests_per_minute = None
    answer = ask(limited, key)
    assert answer.headers["X-RateLimit-Remaining"] == remaining
    assert answer.headers["X-RateLimit-Reset"] == str(int(MIDNIGHT) + 60)
    assert "Retry-After" not in answer.headers


def test_test_keys_have_no_limit(limited: SandboxServer) -> None:
    """Development keys do not count, and are told nothing."""
    for _ in range(4):
        answer = ask(limited, TEST)
        assert answer.status_code == 200
        assert "X-RateLimit-Remaining" not in answer.headers


def test_a_full_window_turns_away_until_the_next(limited: SandboxServer, clock: Clock) -> None:
    """The third request is turned away, for as long as the window lasts."""
    answers = [ask(limited) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert answers[2].headers["Retry-After"] == "45"
    assert ask(limited, ENTERPRISE).status_code == 200
    clock.seconds = MIDNIGHT + 59.9
    assert ask(limited).headers["Retry-After"] == "1"
    clock.seconds = MIDNIGHT + 60
    assert ask(limited).status_code == 200


def test_failed_requests_count_and_carry_headers(limited: SandboxServer) -> None:
    """A request with an error of its own uses up the window too."""
    assert [ask(limited, path="/nothing").headers["X-RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
    assert ask(limited).status_code == 429


def test_window_length_is_a_switch(limited: SandboxServer, clock: Clock) -> None:
    """A shorter window ends sooner."""
    limited.switches.update({"window_seconds": 30, "requests_per_minute": 4})
    assert [ask(limited).status_code for _ in range(3)] == [200, 200, 429]
    clock.seconds = MIDNIGHT + 30
    assert ask(limited).status_code == 200


@pytest.mark.parametrize(
    ("form", "header"), [("seconds", "45"), ("date", "Mon, 02 Jun 2025 00:01:00 GMT"), ("none", None)]
)
def test_forms_of_retry_after(limited: SandboxServer, form: str, header: str | None) -> None:
    """A 429 tells when to come back in seconds, as a date, or not at all."""
    limited.switches.retry_after = form
    assert [ask(limited) for _ in range(3)][2].headers.get("Retry-After") == header


def test_rate_headers_may_be_missing(limited: SandboxServer) -> None:
    """Without the headers the limits hold all the same."""
    limited.switches.rate_headers = False
    answers = [ask(limited) for _ in range(3)]
    assert answers[2].status_code == 429
    assert not [name for answer in answers for name in answer.headers if name.startswith("X-RateLimit")]


def test_all_times_told_are_on_one_clock(limited: SandboxServer) -> None:
    """An offset moves meta.timestamp, Date and the reset of the window alike."""
    limited.switches.clock_offset_seconds = 3600
    answer = ask(limited)
    assert answer.json()["meta"]["timestamp"] == "2025-06-02T01:00:15.000000Z"
    assert answer.headers["Date"] == "Mon, 02 Jun 2025 01:00:15 GMT"
    assert answer.headers["X-RateLimit-Reset"] == str(int(MIDNIGHT) + 3660)
