"""Changes that an earlier pass could not see: found at once where the count's row shows it, else by looking back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.api import Request
from cogny_source.timestamps import format_instant
from tests.support.syncs import make_pipeline, settings_for, wait
from tests.support.truth import Ask, assert_exact

BIRTH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A world whose clock stands still but for what the test does."""
    with SandboxServer(World(seed=7, tickets=450, reports=40, warehouses=5, now=BIRTH)) as server:
        yield server


def change_late(sandbox: SandboxServer, place: int, **age: float) -> str:
    """A change becomes visible now that is stamped a while ago; returns its key."""
    key: str = sandbox.world.rows("tickets")[place]["id"]
    stamp = format_instant(sandbox.world.now - timedelta(**age))
    sandbox.world.patch("tickets", key, notes="late", updated_at=stamp)
    return key


def test_change_that_becomes_visible_late_comes_with_the_lookback(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Five minutes after its stamp no overlap of a minute finds it; the next day's look back does, and says so."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, hours=1)
    fresh = sandbox.world.rows("tickets")[100]["id"]
    sandbox.world.patch("tickets", fresh, notes="in time")
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    keys = [change_late(sandbox, place, minutes=5 + place) for place in range(3)]
    wait(sandbox, minutes=10)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert ask("SELECT count(*) FROM tickets WHERE notes = 'late'") == [(0,)]
    wait(sandbox, hours=24)
    with caplog.at_level(logging.WARNING):
        result = sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert {key for (key,) in ask("SELECT id FROM tickets WHERE notes = 'late'")} == set(keys)
    assert_exact(ask, sandbox.world)
    tickets = result.resources[0]
    assert tickets.counts.corrections == {"late": 3}
    assert tickets.rows_loaded["tickets"] == 3 + 1  # and the newest change, which lies in the overlap
    assert any("3 changes became visible later" in message for message in caplog.messages)
    asked = len(sandbox.requests)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert len(sandbox.requests) - asked == 5


def test_list_of_changes_that_was_empty_once_is_read_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The count brings the row that changed last; where the list of changes lacks it, it is asked again at once."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, hours=1)
    for row in sandbox.world.rows("tickets")[:40]:
        sandbox.world.patch("tickets", row["id"], notes="changed")
    wait(sandbox, hours=1)
    _empty_the_list_of_changes(sandbox)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
    assert ask("SELECT count(*) FROM tickets WHERE notes = 'changed'") == [(40,)]
    assert "tickets: the list of changes lacked one that the API counts; it is read again" in caplog.messages


def _empty_the_list_of_changes(sandbox: SandboxServer) -> None:
    """The next answer but one, which is that to the question for changes, has no rows."""
    asked: list[Request] = []
    answer = sandbox.api._next_fault

    def next_fault(request: Request) -> str | None:
        asked.append(request)
        return "empty_list" if len(asked) == 2 else answer(request)

    sandbox.api._next_fault = next_fault  # type: ignore[method-assign]


def test_row_that_changes_on_is_no_missed_change(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A quiet sync asks for changes and count, and nothing else."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, hours=1)
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[3]["id"], notes="new")
    asked = len(sandbox.requests)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert len(sandbox.requests) - asked == 5
    assert_exact(ask, sandbox.world)


def test_row_before_the_start_date_is_not_looked_for(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where `created_after` is ignored, the row that comes with the count is not wanted, and no census is taken."""
    start = sorted(row["created_at"] for row in sandbox.world.rows("tickets"))[200]
    sandbox.switches.ignored_filters = {"tickets": frozenset({"created_after"})}
    sync(pipeline, settings_for(sandbox), resources=["tickets"], start_date=start)
    with caplog.at_level(logging.WARNING):
        result = sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=start)
    assert not any("the list of changes lacked" in message for message in caplog.messages)
    assert result.resources[0].counts.deleted_rows is None
