"""Every fault of the sandbox against the script's command: what is loaded is exact, or the run names its cause."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Any

import pytest

from cogny_source.sandbox import SandboxServer
from cogny_source.sandbox.faults import strikes
from tests.support.syncs import PATIENCE_SECONDS, Begin, Script, is_in_census, wait_until
from tests.support.truth import Ask, Gone, assert_exact, assert_marked, read_gone

# Three pages; and no summary, which costs half a second a run.
CHUNKS = ("--quiet", "--chunk-rows", "250")
# Of the script's settings: a fault that lasts is given up within two seconds, one that passes is not.
IMPATIENT = {"SOURCES__COGNY__MAX_OUTAGE_SECONDS": "2", "SOURCES__COGNY__MAX_WAIT_SECONDS": "2"}
SHORT_READS = {"SOURCES__COGNY__READ_TIMEOUT_SECONDS": "0.5"}
# A request in ten; the least tells how it ends.
RATE = 0.1

# Fault to the other switches, the script's settings and the cause that a failed run names.
FAULTS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "error_500": ({}, {}, "the query could not be run"),
    "html_502": ({}, {}, "status 502"),
    "html_521": ({}, {}, "the API is away"),
    "reset": ({}, {}, "the connection failed or was reset"),
    "cut_short": ({}, {}, "the answer was cut short"),
    "empty_200": ({}, {}, "the answer is empty"),
    "success_false": ({}, {}, "code UPSTREAM_DEGRADED"),
    "rate_limited": ({"retry_after_seconds": 1}, {}, "status 429"),
    "stall": ({"stall_seconds": 3.0}, SHORT_READS, "no answer within 0.5 s"),
    "dribble": ({"stall_seconds": 6.0}, SHORT_READS, "the answer did not end within 2.5 s"),
}

# Played by every run of the suite; the others by `make test-long`, and drawn by lot by `make soak`.
ALWAYS = ("error_500",)


@pytest.mark.parametrize(
    "fault",
    [fault if fault in ALWAYS else pytest.param(fault, marks=pytest.mark.long) for fault in FAULTS],
)
def test_a_tenth_of_all_requests_is_struck(
    fault: str, sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask
) -> None:
    """A first load and a census bear the fault; a census that it ends marks nothing and names the cause."""
    switches, settings, cause = FAULTS[fault]
    throw(sandbox, {**switches, fault: RATE, "fault_seed": find_seed(fault, 1), "latency_seconds": 0.1})
    process = begin(*CHUNKS, "--census", **IMPATIENT, **settings)
    wait_until(lambda: is_in_census(sandbox, 2), process)
    throw(sandbox, {fault: 1.0})
    errors = end(process, expect=1).splitlines()
    assert cause in errors[-1]
    assert [line for line in errors if cause in line and "attempt 1 is repeated" in line]
    assert_no_marks(database)
    assert database("SELECT status FROM sync_runs WHERE resource = 'tickets'") == [("failed",)]
    throw(sandbox, {fault: 0.0, "latency_seconds": 0.0})
    assert_exact(database, sandbox.world)
    gone = move_on(sandbox, database)
    seed = find_seed(fault, len(sandbox.requests) + 1)
    throw(sandbox, {fault: RATE, "fault_seed": seed})
    since = sandbox.world.now
    done = sync_here(*CHUNKS, "--census", **settings)
    assert cause in done.stderr
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now)


@pytest.mark.long
def test_all_faults_together(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Under ten faults at once, which strike a third of all requests, a first load and a census are exact."""
    throw(sandbox, {**dict.fromkeys(FAULTS, 0.04), "fault_seed": 5, "stall_seconds": 6.0, "retry_after_seconds": 0})
    sync_here(*CHUNKS, **SHORT_READS)
    assert_exact(database, sandbox.world)
    gone = move_on(sandbox, database)
    since = sandbox.world.now
    sync_here(*CHUNKS, "--census", **SHORT_READS)
    assert len({request.fault for request in sandbox.requests} - {None}) >= 5
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now)


@pytest.mark.long
def test_answer_that_comes_after_half_a_minute(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """An answer that is 30 s late is waited for under the default settings, and nothing is asked again."""
    third = next(seed for seed in count() if [strikes(seed, "stall", n, RATE) for n in range(1, 16)] == only(3, 15))
    throw(sandbox, {"stall": RATE, "fault_seed": third, "stall_seconds": 30.0})
    start = time.monotonic()
    sync_here("--quiet")
    assert time.monotonic() - start >= 30
    assert database("SELECT sum(retries) FROM sync_runs") == [(0,)]
    assert_exact(database, sandbox.world)


def test_429_without_a_header_is_waited_for_or_named(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Without advice a 429 asks for 60 s; a run that may not wait so long ends loudly, and the next one finishes."""
    fourth = next(seed for seed in count() if [strikes(seed, "rate_limited", n, RATE) for n in (1, 2, 3, 4)] == only(4))
    throw(sandbox, {"rate_limited": RATE, "fault_seed": fourth, "retry_after": "none"})
    # Of several resources that are read side by side, any could be the one that is struck.
    done = sync_here(*CHUNKS, "--resources", "tickets", expect=1, SOURCES__COGNY__MAX_WAIT_SECONDS="5")
    assert "the next attempt would be in 60 s, longer than max_wait_seconds" in done.stderr
    assert "status 429" in done.stderr
    assert_loaded_what_came(sandbox, database)
    throw(sandbox, {"rate_limited": 0.0})
    sync_here(*CHUNKS, SOURCES__COGNY__MAX_WAIT_SECONDS="5")
    assert_exact(database, sandbox.world)


def test_origin_that_is_away_for_a_while(sandbox: SandboxServer, begin: Begin, database: Ask) -> None:
    """An origin that answers the next three requests with 521 costs three repeats and nothing else."""
    throw(sandbox, {"latency_seconds": 0.1})
    process = begin(*CHUNKS)
    wait_until(lambda: len(sandbox.requests) >= 4, process)
    throw(sandbox, {"away_requests": 3, "latency_seconds": 0.0})
    end(process, expect=0)
    assert database("SELECT sum(retries) FROM sync_runs") == [(3,)]
    assert_exact(database, sandbox.world)


@pytest.mark.long
def test_origin_that_stays_away(sandbox: SandboxServer, begin: Begin, sync_here: Script, database: Ask) -> None:
    """An outage beyond `max_outage_seconds` ends the run with its cause; the pages before it are loaded."""
    throw(sandbox, {"latency_seconds": 0.1})
    process = begin(*CHUNKS, **IMPATIENT)
    wait_until(lambda: len(sandbox.requests) >= 5, process)
    throw(sandbox, {"away": True})
    errors = end(process, expect=1)
    assert "the API is away" in errors.splitlines()[-1]
    assert "status 521" in errors.splitlines()[-1]
    assert_loaded_what_came(sandbox, database)
    throw(sandbox, {"away": False, "latency_seconds": 0.0})
    sync_here(*CHUNKS)
    assert_exact(database, sandbox.world)


def test_key_that_is_revoked_in_the_middle(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """A key refused after five requests exits with 2; the pages before it are loaded, a valid key brings the rest."""
    throw(sandbox, {"revoked_after_requests": 5})
    done = sync_here(*CHUNKS, expect=2)
    assert "status 401" in done.stderr.splitlines()[-1]
    assert_loaded_what_came(sandbox, database)
    throw(sandbox, {"revoked_after_requests": None})
    sync_here(*CHUNKS)
    assert_exact(database, sandbox.world)


@pytest.mark.long
def test_key_that_is_revoked_during_a_census(
    sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask
) -> None:
    """A census that ends with 401 marks nothing, also of what it had found gone; the next sync takes it again."""
    throw(sandbox, {"latency_seconds": 0.1})
    process = begin(*CHUNKS, "--census")
    wait_until(lambda: is_in_census(sandbox, 2), process)
    throw(sandbox, {"revoked_after_requests": 0})
    assert "status 401" in end(process, expect=2).splitlines()[-1]
    assert_no_marks(database)
    throw(sandbox, {"revoked_after_requests": None, "latency_seconds": 0.0})
    gone = move_on(sandbox, database)
    since = sandbox.world.now
    sync_here(*CHUNKS)
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now)


def throw(sandbox: SandboxServer, switches: dict[str, Any]) -> None:
    """Throw switches of the sandbox."""
    sandbox.switches.update(switches)


def find_seed(fault: str, first: int) -> int:
    """A seed under which a tenth of the requests from a number on is struck, some soon, none twice in a row."""
    for seed in count():
        struck = [strikes(seed, fault, number, RATE) for number in range(first, first + 40)]
        twice = any(one and other for one, other in pairwise(struck))
        if any(struck[1:8]) and any(struck[8:12]) and not struck[0] and not twice and sum(struck) == 4:
            return seed
    raise AssertionError


def only(place: int, length: int | None = None) -> list[bool]:
    """A list of falsehoods with one truth, at a place counted from 1."""
    return [number == place for number in range(1, (length or place) + 1)]


def end(process: subprocess.Popen[str], expect: int) -> str:
    """Wait for the script; returns what it wrote to standard error."""
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == expect, errors
    assert "Traceback" not in errors
    return errors


def move_on(sandbox: SandboxServer, ask: Ask) -> Gone:
    """Let tickets and reports be born, change and vanish; returns what the tables hold of those that vanished."""
    world = sandbox.world
    world.advance(datetime.now(UTC), created=20, changed=30, deleted=7)
    world.delete("reports", world.rows("reports")[3]["id"])
    world.delete("warehouses", world.rows("warehouses")[1]["id"])
    gone = read_gone(ask, world)
    assert {name: len(rows) for name, rows in gone.rows.items()} == {"tickets": 7, "reports": 1, "warehouses": 1}
    return gone


def assert_no_marks(ask: Ask) -> None:
    """No row of any table is marked deleted."""
    for table in ("tickets", "reports", "warehouses"):
        assert ask(f"SELECT id FROM {table} WHERE deleted_at IS NOT NULL") == []


def assert_loaded_what_came(sandbox: SandboxServer, ask: Ask) -> None:
    """The tickets of every page that was answered are loaded, and there are pages that were not."""
    told = [request for request in sandbox.requests if request.path == "/v1/tickets" and request.status == 200]
    pages = [request for request in told if request.params.get("limit") == "100"]
    assert 1 <= len(pages) <= 4
    oldest = sandbox.world.rows("tickets")[: 100 * len(pages)]
    assert ask("SELECT id FROM tickets ORDER BY 1") == sorted((row["id"],) for row in oldest)
