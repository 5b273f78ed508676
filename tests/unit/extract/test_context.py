"""What a resource is read with, where nothing else is said."""

from __future__ import annotations

from typing import Any

from cogny_source.api.meter import Meter
from cogny_source.extract.context import Difference, ReadContext, RowCounts
from cogny_source.extract.endpoints import ENDPOINTS


def test_nothing_is_counted_or_corrected_before_a_run() -> None:
    """Each count that is shown as a number begins with none."""
    counts = RowCounts()
    assert (counts.undated_rows, counts.unchanged_rows, counts.unlisted_rows, counts.compared_rows) == (0, 0, 0, 0)
    counts.correct("late", 0)
    assert counts.corrections == {}
    counts.correct("late", 2)
    assert counts.corrections == {"late": 2}
    assert not Difference("tickets", "tkt_1", "missing").fresh


def test_one_reader_keeps_no_history_and_knows_no_limit() -> None:
    """Unless more is asked for."""
    client: Any = None
    context = ReadContext(client, ENDPOINTS["tickets"], Meter(), lambda: None, 1000)
    assert (context.workers, context.history) == (1, False)
    assert (context.requests_per_minute(), context.spare_requests()) == (None, None)
