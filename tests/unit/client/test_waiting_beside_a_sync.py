"""Beside a first load of the same account: a poll is answered soon, and a batch takes nothing from the load."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cogny_source.api.http_client import HttpClient, Timing, make_client
from cogny_source.api.meter import Meter
from cogny_source.settings import Settings
from cogny_source.testing import BASE_URL, SandboxAdapter, SandboxCogny

Open = Callable[..., SandboxCogny]
STANDARD = "sk_live_standard_sandbox"
MINUTES = 6


class Load:
    """A first load with the sync's own client, limiter and reserve: it asks as often as it may.

    Args:
        client: Whose sandbox and clock it shares.
    """

    def __init__(self, client: SandboxCogny) -> None:
        self._clock = client.sandbox.clock
        settings = Settings(api_key=STANDARD, base_url=BASE_URL)
        timing = Timing(self._clock, self._clock.sleep, lambda: 0.5, self._clock)
        self._http: HttpClient = make_client(settings, timing, adapter=SandboxAdapter(client.sandbox._api, self._clock))
        self.requests = 0

    def go_on(self) -> None:
        """Send what can be sent without a wait."""
        while self._http.limiter.spare:
            before = self._clock()
            self._http.get("/tickets", {"limit": 1}, Meter())
            assert self._clock() == before
            self.requests += 1


@pytest.fixture
def client(open_client: Open) -> SandboxCogny:
    """A client of the standard tier."""
    return open_client(api_key=STANDARD, report_seconds=10_000.0, tickets=3)


def run(client: SandboxCogny, act: Callable[[], object]) -> tuple[Load, list[float]]:
    """Some minutes of a load, and something beside it every fifteen seconds; how long each of these took."""
    load, took = Load(client), []
    for _ in range(MINUTES * 4):
        load.go_on()
        began = client.sandbox.clock()
        act()
        took.append(client.sandbox.clock() - began)
        client.sandbox.clock.sleep(15.0 - took[-1] % 15.0)
    return load, took


def test_a_poll_waits_a_quarter_of_a_minute_at_most(client: SandboxCogny) -> None:
    """In 99 of 100 cases: the ten requests of a window that the load leaves are for it."""
    report = client.reports.create(client.sandbox.warehouse_id, "Why?")
    load, took = run(client, lambda: client.reports.get(report.id))
    assert sorted(took)[int(len(took) * 0.99)] <= 15.0
    assert load.requests >= MINUTES * 85
    assert 429 not in [record.status for record in client.sandbox._api.recorded()]


def test_batches_take_nothing_from_the_load(client: SandboxCogny) -> None:
    """It sends as many requests as without them, and neither runs into a 429."""
    alone, _ = run(client, lambda: None)
    ids = [row["id"] for row in client.sandbox.rows("tickets")[:3]]
    beside, took = run(client, lambda: client.tickets.bulk_update(ids, status="open"))
    assert abs(beside.requests - alone.requests) <= 10
    assert max(took) <= 1.0
    assert 429 not in [record.status for record in client.sandbox._api.recorded()]
