"""Fixtures: a sandbox and clients that live by a clock set by hand, and a server that answers what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cogny_source.api.http_client import HttpClient, Timing
from cogny_source.api.meter import Meter
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.sandbox import SandboxServer, World
from cogny_source.settings import Settings
from tests.support.edge import NOW, TEST_KEY, Clock, Edge


@pytest.fixture
def clock() -> Clock:
    """The one clock of server, limiter and client."""
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[SandboxServer]:
    """A sandbox of 250 tickets and 40 reports that lives by the clock."""
    with SandboxServer(World(seed=7, tickets=250, reports=40, now=NOW), clock=clock) as server:
        yield server


@pytest.fixture
def edge() -> Iterator[Edge]:
    """A server that answers what a test tells it."""
    with Edge() as server:
        yield server


@pytest.fixture
def meter() -> Meter:
    """Counts what a test's requests cost."""
    return Meter()


@pytest.fixture
def make_client(clock: Clock) -> Iterator[Callable[..., HttpClient]]:
    """Make clients that live by the clock: `make_client(base_url, api_key=…, any setting=…)`; jitter is a half."""
    clients: list[HttpClient] = []

    def make(base_url: str, api_key: str = TEST_KEY, **settings: Any) -> HttpClient:
        chosen = Settings(api_key=api_key, base_url=base_url, **{"requests_per_minute": None, **settings})
        pace = Pace(chosen.requests_per_minute, reserve_at_most=chosen.reserve_requests)
        timing = Timing(clock=clock, sleep=clock.sleep, jitter=lambda: 0.5, stopwatch=clock)
        clients.append(HttpClient(chosen, RateLimiter(pace, clock, clock), timing))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
