"""The client over a socket, from several threads: what the test double shows holds for connections that break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from cogny_source import Cogny
from cogny_source.client import ReportFailed
from cogny_source.errors import NotFound
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY

LOST = {"lost_reset": 0.1, "lost_504": 0.07, "lost_524": 0.07, "lost_cut": 0.1, "lost_empty": 0.03}


@pytest.fixture
def warehouse_id(sandbox: SandboxServer) -> str:
    """A warehouse that is connected."""
    identity = str(sandbox.world.rows("warehouses")[0]["id"])
    sandbox.world.patch("warehouses", identity, status="connected")
    return identity


def test_creates_of_four_threads_with_lost_answers(sandbox: SandboxServer, warehouse_id: str) -> None:
    """A third of the answers is lost: none is doubled, none is missing, each is returned."""
    sandbox.switches.update(LOST)
    with Cogny(KEY, base_url=sandbox.base_url) as client, ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda number: client.reports.create(warehouse_id, f"Why {number}?"), range(100))
        ids = [report.id for report in made]
    assert sorted(ids) == sorted(row["id"] for row in sandbox.world.rows("reports")[40:])
    assert len(set(ids)) == 100
    posts = [record for record in sandbox.requests if record.method == "POST"]
    assert len(posts) == 100


def test_a_stream_over_a_socket(sandbox: SandboxServer, warehouse_id: str) -> None:
    """Events come while the report is made, also where each connection is cut after one of them."""
    sandbox.switches.update({"report_seconds": 0.2, "stream_drops_after_events": 6})
    with Cogny(KEY, base_url=sandbox.base_url) as client:
        report = client.reports.create(warehouse_id, "Why?")
        events = client.reports.stream(report)
        types = [next(events).type for _ in range(6)]
        assert types == ["status", "status", "query", "result", "insight", "visualization"]
        events.close()  # type: ignore[attr-defined]
        sandbox.switches.stream_drops_after_events = None
        assert list(client.reports.stream(report))[-1].type == "completed"


def test_an_export_over_a_socket(sandbox: SandboxServer) -> None:
    """The file lies on another origin, which refuses a key."""
    with Cogny(KEY, base_url=sandbox.base_url) as client:
        export = client.tickets.export("json", status="open")
        assert client.tickets.download(export).startswith(b'[{"')
        with pytest.raises(NotFound):
            client.reports.content("rpt_none")


def test_a_failed_report_over_a_socket(
    sandbox: SandboxServer, warehouse_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the wait."""
    monkeypatch.setattr("cogny_source.client.waiting.FIRST_SECONDS", 0.01)
    sandbox.switches.update({"report_seconds": 0.0, "failing_reports": 1.0})
    with Cogny(KEY, base_url=sandbox.base_url) as client, pytest.raises(ReportFailed):
        client.reports.wait(client.reports.create(warehouse_id, "Why?").id)
