"""Clocks that are wrong: changes are found all the same, and the gap is told."""

from __future__ import annotations

from pathlib import Path

import dlt
import pytest
from support import make_pipeline, settings_for
from truth import Ask, assert_exact

from cogny_source import sync
from cogny_source.sandbox import SandboxServer


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
