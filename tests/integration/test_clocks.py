"""Clocks that are wrong: changes are found all the same, and the gap is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer
from cogny_source.timestamps import format_instant, parse_instant
from cogny_source.windows import BEGINNING
from tests.support.syncs import make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact


@pytest.mark.parametrize("date_header", [True, False])
@pytest.mark.parametrize("hours", [8, -8])
def test_server_whose_clock_is_hours_off_hides_no_change(
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    hours: int,
    *,
    date_header: bool,
) -> None:
    """Local time in place of UTC, in the envelope alone or in the header too: what changes later still comes."""
    sandbox.switches.clock_offset_seconds = hours * 3600.0
    sandbox.switches.date_header = date_header
    sync(pipeline, settings_for(sandbox))
    for place in range(3):
        for row in sandbox.world.rows("tickets")[place * 10 : place * 10 + 10]:
            sandbox.world.patch("tickets", row["id"], notes=f"change {place}")
        report = sandbox.world.rows("reports")[place]
        sandbox.world.patch("reports", report["id"], metadata={"change": place})
        sync(make_pipeline(tmp_path), settings_for(sandbox))
        assert_exact(ask, sandbox.world)
    assert sum("clock is" in message or "two times" in message for message in caplog.messages) == 4


def test_clock_that_is_off_costs_no_second_reading(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """With a start date the row that comes with the count is the oldest: the newest change is asked for."""
    sandbox.switches.clock_offset_seconds, sandbox.switches.date_header = 8 * 3600.0, False
    rows = sandbox.world.rows("tickets")
    start = rows[5]["created_at"]
    for row in rows[:200]:  # so that the first page tells nothing of newer changes
        sandbox.world.patch("tickets", row["id"], updated_at=row["created_at"])
    pages = []
    for _ in range(2):
        [tickets] = sync(
            make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=start
        ).resources
        pages.append(tickets.meter.pages)
    assert pages == [5 + 1, 1]


def test_row_before_the_start_date_is_no_missed_change(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An API whose bounds are whole seconds counts it too; nothing is read again for it."""
    first, *rest = sandbox.world.rows("tickets")
    start = (parse_instant(first["created_at"]) or BEGINNING) + timedelta(microseconds=1)
    for row in rest[:3]:
        sandbox.world.put("tickets", {**row, "created_at": format_instant(start)})
    sandbox.switches.inclusive_bounds = True
    for _ in range(2):
        sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=start)
    assert not any("lacked one that the API counts" in message for message in caplog.messages)
