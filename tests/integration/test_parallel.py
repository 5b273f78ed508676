"""Rows that no window of a parallel first load holds."""

from __future__ import annotations

from collections.abc import Callable

import dlt
import pytest

from cogny_source import sync
from cogny_source.extract import backfill, parallel
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import settings_for

WORKERS = 4


def test_undated_rows_are_found_by_the_count(
    pipeline: dlt.Pipeline, ask: Callable[[str], list[tuple[object, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row in no window, as its `created_at` cannot be read, is brought by the census that the counts ask for."""
    monkeypatch.setattr(backfill, "count_readers", lambda reading, *_: reading.workers)
    monkeypatch.setattr(parallel, "WORTHWHILE_ROWS", 500)
    with SandboxServer(World(seed=3, tickets=3_000, reports=5, warehouses=2)) as server:
        server.world.put("tickets", server.world.rows("tickets")[-1] | {"id": "tkt_undated", "created_at": "one day"})
        sync(pipeline, settings_for(server, workers=WORKERS))
        assert ask("SELECT count(*), count(*) FILTER (id = 'tkt_undated') FROM tickets") == [(3_001, 1)]
