"""The test double: it behaves as the sandbox does over a socket, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cogny_source import Cogny
from cogny_source.api.http_client import Timing
from cogny_source.errors import CognyError
from cogny_source.sandbox import SandboxServer, World
from cogny_source.testing import BORN, KEY, open_cogny

Act = Callable[[Any], Any]
FAULTS = ["reset", "html_502", "empty_200", "cut_short", "lost_reset", "lost_cut", "lost_504", "success_false"]


def outcome(client: Cogny, act: Act) -> Any:
    """What a call gives, or the kind and the message of its error."""
    try:
        return act(client)
    except CognyError as error:
        return type(error), error.message, error.status


@pytest.mark.parametrize("fault", FAULTS)
def test_it_fails_as_a_server_does(fault: str) -> None:
    """Each fault ends a request with the same error, over a socket and without one."""

    def act(client: Cogny) -> int | None:
        return client.tickets.export(status="open").ticket_count

    with open_cogny(warehouses=1) as double:
        double.sandbox.fail_next(fault)
        told = outcome(double, act)
    world = World(1, 200, 20, 1, now=BORN)
    impatient = Timing(sleep=lambda _: None)
    with SandboxServer(world) as server, Cogny(KEY, base_url=server.base_url, timing=impatient) as client:
        server.fail_next(fault)
        assert outcome(client, act) == told


def test_its_time_passes_while_the_client_sleeps_alone() -> None:
    """The same rows, ids and times come about each time."""

    def play() -> tuple[Any, float]:
        with open_cogny(seed=3, report_seconds=60.0) as client:
            began = client.sandbox.clock()
            report = client.reports.wait(client.reports.create(client.sandbox.warehouse_id, "Why?", token="mine"))
            return report.raw, client.sandbox.clock() - began

    first, seconds = play()
    assert 60 <= seconds < 80
    assert play() == (first, seconds)


def test_slow_answers_take_time_and_time_out() -> None:
    """A read that takes too long fails; a body that dribbles comes whole."""
    with open_cogny(stall=1.0, stall_seconds=20.0) as client:
        began = client.sandbox.clock()
        assert client.tickets.stats().extra["total_count"] == 200
        assert client.sandbox.clock() - began == 20.0
    patience = {"max_outage_seconds": 100.0}
    with (
        open_cogny(stall=1.0, stall_seconds=90.0, settings=patience) as client,
        pytest.raises(CognyError, match="no answer within 60 s"),
    ):
        client.tickets.stats()
    with open_cogny(dribble=1.0, stall_seconds=30.0) as client:
        assert client.tickets.stats().extra["total_count"] == 200
        assert client.sandbox.clock() - BORN.timestamp() == pytest.approx(30.0, abs=5.0)


def test_what_was_asked_and_what_is_there() -> None:
    """A test reads both, and changes rows."""
    with open_cogny(tickets=3, reports=1, warehouses=2) as client:
        identity = client.sandbox.rows("tickets")[0]["id"]
        client.sandbox.world.patch("tickets", identity, title="Mine")
        assert client.tickets.get(identity).title == "Mine"
        assert client.sandbox.requests == [("GET", f"/tickets/{identity}")]
        assert client.sandbox.warehouse_id in [row["id"] for row in client.sandbox.rows("warehouses")]


def test_a_switch_that_is_not_there_is_refused() -> None:
    """By its name."""
    with pytest.raises(ValueError, match="no switch is named 'lost_505'"):
        open_cogny(lost_505=0.3)
