"""The real script killed or stopped where it hurts: nothing is lost, nothing is half-marked, little is read twice."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cogny_source.extract.order_proof import PROOF_PAGES
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import PATIENCE_SECONDS, Begin, Script, is_in_census, wait_until
from tests.support.truth import Ask, assert_exact, assert_marked, read_gone

TICKETS = 3000
CHUNK_ROWS = 500
# Killed before Python is well up, and after so many requests: while it reads, and while it loads what it read.
EARLY_KILLS, LATE_KILLS = 9, 11
LATEST_REQUEST = 16
# A kill costs the chunk in hand, and where the order of the list was not proven yet, the pages before it.
PAGES_A_KILL = CHUNK_ROWS // 100 + PROOF_PAGES
# What a start asks beside pages: the count and the proof of the order of the tickets, the count, the changes and the
# count once more of the reports, and the list of warehouses.
REQUESTS_A_START = 6


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """A sandbox with so many tickets as a test asks for, else 450."""
    with SandboxServer(World(seed=7, tickets=getattr(request, "param", 450), reports=40, warehouses=5)) as server:
        yield server


@pytest.mark.long
@pytest.mark.parametrize("sandbox", [TICKETS], indirect=True)
def test_twenty_kills_lose_nothing(sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask) -> None:
    """A first load killed at twenty random moments is exact after one quiet run, and asks for little twice."""
    chance = random.Random(20)
    moments = [(0, chance.uniform(0.05, 1.5)) for _ in range(EARLY_KILLS)]
    moments += [(chance.randint(1, LATEST_REQUEST), chance.uniform(0.0, 0.6)) for _ in range(LATE_KILLS)]
    chance.shuffle(moments)
    starts = 0
    for requests, delay in moments:
        asked = len(sandbox.requests)
        process = begin("--quiet", "--chunk-rows", str(CHUNK_ROWS))
        wait_until(lambda: len(sandbox.requests) >= asked + requests, process)  # noqa: B023
        time.sleep(delay)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
        starts += len(sandbox.requests) > asked
    sync_here("--quiet", "--chunk-rows", str(CHUNK_ROWS))
    assert_exact(database, sandbox.world)
    assert starts >= LATE_KILLS
    # Pages, the proof of the order and what changed of the tickets; a page and what changed of the reports; warehouses.
    undisturbed = TICKETS // 100 + 2 + 2 + 1
    assert len(sandbox.requests) <= 1.15 * undisturbed + starts * (PAGES_A_KILL + REQUESTS_A_START)


@pytest.mark.parametrize("sandbox", [TICKETS], indirect=True)
def test_killed_readers_lose_nothing(sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask) -> None:
    """Several readers, killed while they read and while what they read is loaded, are exact after one quiet run."""
    sandbox.switches.update({"latency_seconds": 0.08, "churn_per_page": 1})
    for requests in (12, 20, 16):
        asked = len(sandbox.requests)
        process = begin("--quiet", "--chunk-rows", str(CHUNK_ROWS))
        wait_until(lambda: len(sandbox.requests) >= asked + requests, process)  # noqa: B023
        time.sleep(requests / 50)
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
    sandbox.switches.update({"latency_seconds": 0.0, "churn_per_page": 0})
    lists = [request.params for request in sandbox.requests if request.params.get("sort") == "created_at"]
    assert {"created_after", "created_before", "cursor"} <= {name for params in lists for name in params}
    assert len({params.get("created_before") for params in lists}) > 2
    sync_here("--quiet", "--chunk-rows", str(CHUNK_ROWS))
    assert_exact(database, sandbox.world)


@pytest.mark.parametrize(
    ("number", "code"),
    # That both signals are heeded alike, `test_signals.py` shows in each run of the suite.
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.long),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_stopped_while_waiting_and_in_a_census(
    number: signal.Signals, code: int, sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask
) -> None:
    """Stopped between two attempts, what came is loaded; stopped in a census, no row is marked; then all is exact."""
    sandbox.switches.update({"latency_seconds": 0.1})
    process = begin("--chunk-rows", "200")
    wait_until(lambda: len(sandbox.requests) >= 5, process)
    sandbox.switches.away = True
    wait_until(lambda: [request.status for request in sandbox.requests].count(521) >= 2, process)
    stop(process, number, code)
    pages = [r for r in sandbox.requests if r.path == "/v1/tickets" and r.status == 200 and r.params["limit"] == "100"]
    if number != signal.SIGKILL:
        assert database("SELECT count(*) FROM tickets") == [(100 * len(pages),)]
    sandbox.switches.away = False

    asked = len(sandbox.requests)
    process = begin("--chunk-rows", "200", "--census")
    wait_until(lambda: is_in_census(sandbox, 2, asked=asked), process)
    sandbox.world.advance(datetime.now(UTC), created=20, changed=30, deleted=7)
    stop(process, number, code)
    for table in ("tickets", "reports", "warehouses"):
        assert database(f"SELECT id FROM {table} WHERE deleted_at IS NOT NULL") == []

    sandbox.switches.latency_seconds = 0.0
    gone = read_gone(database, sandbox.world)
    assert len(gone.rows["tickets"]) == 7
    since = sandbox.world.now
    sync_here("--quiet")
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now)


def stop(process: subprocess.Popen[str], number: signal.Signals, code: int) -> None:
    """Send a signal; the script ends with a code, without waiting for what it waited for."""
    sent = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert time.monotonic() - sent < 15
    assert f"stopped by signal {number.value}" in errors or number == signal.SIGKILL
