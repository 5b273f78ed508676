"""The pass over the changes: which watermark each of its chunks claims."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.incremental import read_incremental
from cogny_source.extract.lookback import Reach
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import format_instant

WATERMARK = datetime(2026, 1, 1, tzinfo=UTC)
NOW = WATERMARK + timedelta(days=1)
STATE = {"updated_after": format_instant(WATERMARK)}


class Api:
    """Pages of two rows each, which changed so many seconds after the watermark.

    Args:
        seconds: The seconds, in the order of the list.
        slips: Whether it counts one row more with each request, which it does not list.
    """

    def __init__(self, *seconds: float, slips: bool = False) -> None:
        self._surplus, self._more = 0, int(slips)
        stamps = [format_instant(WATERMARK + timedelta(seconds=second)) for second in seconds]
        self._rows = [
            {"id": f"tkt_{number}", "created_at": stamp, "updated_at": stamp} for number, stamp in enumerate(stamps)
        ]

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """A page, or the newest row."""
        if str(params["sort"]).startswith("-"):
            return Answer(self._rows[-1:], {}, NOW, None)
        self._surplus += self._more
        place = int(params.get("cursor", 0))
        more = place + 2 < len(self._rows)
        pagination = {"has_more": more, "next_cursor": str(place + 2), "total_count": len(self._rows) + self._surplus}
        return Answer(self._rows[place : place + 2], pagination, NOW, None)


def read(api: Api, *, held: Chunk | None = None, chunk_rows: int = 2) -> list[Chunk]:
    """The chunks of a pass."""
    context = ReadContext(api, ENDPOINTS["tickets"], Meter(), lambda: None, chunk_rows)
    return list(read_incremental(context, STATE, Reach(60.0), held))


def marks(chunks: list[Chunk]) -> list[float | None]:
    """The watermark of each chunk, in seconds since that of the state."""
    told = [None if chunk.state is None else datetime.fromisoformat(chunk.state["updated_after"]) for chunk in chunks]
    return [None if mark is None else (mark - WATERMARK).total_seconds() for mark in told]


@pytest.mark.parametrize("second", [0.0, -1.0])
def test_cut_at_the_watermark_or_before_it_claims_nothing(second: float) -> None:
    """Rows that the overlap asks for again are no progress, and no span of theirs is noted."""
    chunks = read(Api(-30.0, second, 10.0, 20.0, 30.0, 40.0))
    assert marks(chunks) == [None, 20.0, 86_400.0]
    assert chunks[1].state is not None
    assert [span[:3] for span in chunks[1].state["unproven"]] == [
        [
            "updated_at",
            format_instant(WATERMARK - timedelta(seconds=60)),
            format_instant(WATERMARK + timedelta(seconds=20)),
        ]
    ]


def test_held_chunk_is_loaded_with_a_single_page_and_before_several() -> None:
    """A load costs half a second."""
    held = Chunk(state={"held": True})
    assert len(read(Api(10.0), held=held)) == 1
    first, *rest = read(Api(10.0, 20.0, 30.0), held=held)
    assert first is held
    assert [chunk.last for chunk in rest] == [False, True]


@pytest.mark.parametrize(("second", "told"), [(-61.0, False), (-61.1, True)])
def test_ignored_filter_is_told_once(second: float, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    """However many pages show it; a second of margin is asked for."""
    with caplog.at_level(logging.WARNING):
        read(Api(second, second, second, second, 10.0), chunk_rows=1000)
    sentence = "/tickets ignores updated_after: each sync lists all 5 rows, 3 requests"
    assert caplog.messages == ([sentence] if told else [])


def test_pass_that_stays_short_leaves_the_state_of_its_last_cut() -> None:
    """What comes after the pass goes on from there."""
    context = ReadContext(Api(10.0, 20.0, 30.0, 40.0, slips=True), ENDPOINTS["tickets"], Meter(), lambda: None, 2)
    passing, chunks = read_incremental(context, STATE, Reach(60.0)), []
    while True:
        try:
            chunks.append(next(passing))
        except StopIteration as end:
            state, newest = end.value
            break
    states = [chunk.state for chunk in chunks if chunk.state is not None]
    assert chunks[-1].state is None
    assert state == states[-1]
    assert state["updated_after"] == format_instant(WATERMARK + timedelta(seconds=20))
    assert newest == WATERMARK + timedelta(seconds=40)
