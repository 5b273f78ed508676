"""A first load that is killed goes on after the chunks that are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import PATIENCE_SECONDS, Begin, Script
from tests.support.truth import Ask

CHUNK_ROWS = 300
LOADS = 7
MOST_READERS = 8


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """A sandbox with so many tickets as a test asks for, else 150."""
    with SandboxServer(World(seed=7, tickets=getattr(request, "param", 150), reports=20, warehouses=2)) as server:
        yield server


@pytest.mark.parametrize("sandbox", [3000], indirect=True)
def test_killed_backfill_goes_on_after_its_chunks(
    sandbox: SandboxServer, sync_here: Script, begin: Begin, database: Ask
) -> None:
    """Killed after small chunks are loaded, the next run asks for the rest and at most one chunk again."""
    process = begin("--resources", "tickets", "--chunk-rows", str(CHUNK_ROWS))
    assert process.stderr is not None
    assert len(list(islice((line for line in process.stderr if "rows loaded" in line), LOADS))) == LOADS
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    [(loaded,)] = database("SELECT count(*) FROM tickets")
    assert LOADS * 200 <= int(str(loaded)) < 3000
    asked = len(sandbox.requests)
    sync_here("--quiet", "--resources", "tickets", "--chunk-rows", str(CHUNK_ROWS))
    pages = [request for request in sandbox.requests[asked:] if request.params.get("sort") == "created_at"]
    # Each window that was open is read to its end, with a page that is not full.
    assert len(pages) <= (3000 - int(str(loaded)) + CHUNK_ROWS) // 100 + MOST_READERS
