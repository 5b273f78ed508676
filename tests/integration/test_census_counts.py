"""What the matrix of faults found, each as small as it can be told, through the script's command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import Script
from tests.support.truth import Ask, assert_exact, assert_marked, read_gone

HOUR = timedelta(hours=1)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """A sandbox with so many tickets as a test asks for, else 150."""
    with SandboxServer(World(seed=7, tickets=getattr(request, "param", 150), reports=20, warehouses=2)) as server:
        yield server


def test_deletions_are_noticed_where_the_server_is_behind_its_stamps(
    sandbox: SandboxServer, sync_here: Script, database: Ask
) -> None:
    """Rows stamped after the server's clock do not stand in for rows that are gone."""
    sandbox.switches.clock_offset_seconds = -3600
    sync_here("--quiet")
    sandbox.world.advance(datetime.now(UTC), created=20, changed=0, deleted=7)
    gone = read_gone(database, sandbox.world)
    assert len(gone.rows["tickets"]) == 7
    since = sandbox.world.now - HOUR
    sync_here("--quiet")
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now - HOUR)


def test_difference_that_went_away_is_not_accepted_for_ever(
    sandbox: SandboxServer, sync_here: Script, database: Ask
) -> None:
    """After two censuses that ended one row short by chance, a single deletion is still noticed."""
    sandbox.switches.update({"meta_timestamp": False, "date_header": False, "churn_creates_per_page": 1})
    sync_here("--quiet", "--resources", "tickets", "--census")
    sync_here("--quiet", "--resources", "tickets", "--census")
    sandbox.switches.churn_creates_per_page = 0
    sync_here("--quiet")
    assert_exact(database, sandbox.world)
    sandbox.world.delete("tickets", sandbox.world.rows("tickets")[3]["id"])
    gone = read_gone(database, sandbox.world)
    since = sandbox.world.now
    sync_here("--quiet")
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now)
