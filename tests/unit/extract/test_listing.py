"""Listings of an API that cheats, answer by answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import GROWTH_ROWS, Page
from cogny_source.errors import BadRequest
from cogny_source.extract.backfill import read_backfill
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.incremental import read_incremental
from cogny_source.extract.listing import Listing
from cogny_source.extract.lookback import Reach
from cogny_source.timestamps import format_instant
from cogny_source.windows import Order, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


def row(number: int, *, seconds: float | None = None) -> dict[str, Any]:
    """A ticket, created and updated so many seconds after the start."""
    stamp = format_instant(START + timedelta(seconds=number if seconds is None else seconds))
    return {"id": f"tkt_{number:05}", "created_at": stamp, "updated_at": stamp}


class Script:
    """Answers requests from a list of pages, and the proof of the order with its newest row."""

    def __init__(
        self, pages: Sequence[tuple[list[dict[str, Any]], int | None]], *, server_time: datetime | None = NOW
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self._pages = iter(pages)
        self._left = len(pages)
        self._newest = pages[-1][0][-1:]
        self._server_time = server_time

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The next page; the last page of a chain is the one that is followed by none."""
        self.asked.append(dict(params))
        if str(params["sort"]).startswith("-"):
            return Answer(self._newest, {}, self._server_time, None)
        rows, total = next(self._pages)
        self._left -= 1
        pagination = {"has_more": self._left > 0, "next_cursor": f"c{self._left}", "total_count": total}
        return Answer(rows, pagination, self._server_time, None)


def reading_of(client: Any) -> ReadContext:
    """Reading tickets from a client."""
    return ReadContext(client, ENDPOINTS["tickets"], Meter(), lambda: None, 1000)


def keys(listing: Listing) -> list[str]:
    """The keys of a listing's rows, in the order they came."""
    return [row["id"] for page in listing.pages() for row in page.rows]


def test_vanished_rows_make_the_listing_go_back_to_before_the_gap() -> None:
    """Where the count drops between two pages, the listing is taken up at the last timestamp before the drop."""
    first, second = [row(n) for n in range(3)], [row(n) for n in range(4, 7)]
    client = Script([(first, 7), (second, 6), ([row(n) for n in range(2, 8)], 6)])
    assert keys(Listing(reading_of(client), "created_at", Window())) == [
        *(f"tkt_{n:05}" for n in (0, 1, 2, 4, 5, 6)),
        *(f"tkt_{n:05}" for n in range(2, 8)),
    ]
    proof, again = client.asked[2:]
    assert proof["sort"] == "-created_at"
    assert again["created_after"] == format_instant(START + timedelta(seconds=1))


def test_count_that_is_always_too_high_is_believed_once(caplog: pytest.LogCaptureFixture) -> None:
    """A count that exceeds the listed rows by the same number twice is the API's way to count."""
    pages = [([row(0)], 5), ([row(1)], 5)]
    client = Repeating(pages)
    listing = Listing(reading_of(client), "updated_at", Window())
    assert keys(listing) == ["tkt_00000", "tkt_00001"] * 2
    assert listing.complete
    assert caplog.messages == [
        "/tickets: 3 rows slipped between two pages, reading the listing again",
        "/tickets: the API counts 3 rows more than it lists",
    ]


class Repeating:
    """Answers with the same pages over and over, each time with counts of its own choice."""

    def __init__(
        self, pages: Sequence[tuple[list[dict[str, Any]], int]], more: Callable[[int], int] = lambda _: 0
    ) -> None:
        self._pages = pages
        self._more = more
        self._served = 0

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The next page."""
        place, lap = self._served % len(self._pages), self._served // len(self._pages)
        self._served += 1
        rows, total = self._pages[place]
        pagination = {
            "has_more": place + 1 < len(self._pages),
            "next_cursor": f"{self._served}",
            "total_count": total + self._more(lap),
        }
        return Answer(rows, pagination, NOW, None)


def test_listing_that_stays_short_moves_no_watermark(caplog: pytest.LogCaptureFixture) -> None:
    """Where rows slip between pages again and again, the watermark stays, and the next sync reads them."""
    client = Repeating([([row(0)], 5), ([row(1)], 5)], more=lambda lap: lap)
    state = {"updated_after": format_instant(START)}
    chunks = list(read_incremental(reading_of(client), state, Reach(60)))
    assert [(chunk.rows, chunk.state, chunk.last) for chunk in chunks] == [(2, None, True)]
    assert caplog.messages[-1] == "/tickets: 6 rows slipped between two pages again; the next sync reads them"


def test_first_load_that_stays_short_is_read_again_by_the_next_sync() -> None:
    """Where rows slip between the pages of a first load again and again, its window stays open."""
    client = Repeating([([row(0)], 5), ([row(1)], 5)], more=lambda lap: lap)
    state = {"backfill": {"windows": [[None, None]], "updated_after": None}}
    [chunk] = read_backfill(reading_of(client), state)
    assert chunk.state == {"backfill": {"windows": [[None, None]], "updated_after": format_instant(NOW)}}


def test_listing_that_is_read_again_has_no_safe_point_before_it_came_there() -> None:
    """After rows slipped, the place reached before is no place to resume at."""
    listing = Listing(reading_of(Repeating([([row(0)], 3), ([row(9)], 3)])), "updated_at", Window())
    assert [listing.order.last for _ in listing.pages()] == [
        START + timedelta(seconds=seconds) for seconds in (0, 9, 0, 9)
    ]


def test_listing_that_grows_as_it_is_read_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Rows that change faster than they are read do not hold the sync for ever; the watermark is its beginning."""

    class Growing:
        def __init__(self) -> None:
            self.pages = 0

        def get(
            self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True
        ) -> Answer:
            self.pages += 1
            begin = (NOW - START).total_seconds() + self.pages * 100
            rows = [row(self.pages * 100 + n, seconds=begin + n) for n in range(100)]
            if str(params["sort"]).startswith("-"):
                return Answer([row(0, seconds=1e9)], {}, NOW, None)
            pagination = {"has_more": True, "next_cursor": str(self.pages), "total_count": self.pages * 100}
            return Answer(rows, pagination, NOW, None)

    client = Growing()
    *_, last = read_incremental(reading_of(client), {"updated_after": format_instant(START)}, Reach(60))
    assert last.last
    assert last.state == {"updated_after": format_instant(NOW)}
    assert client.pages == GROWTH_ROWS // 100 + 3
    assert "/tickets changes faster than it is read; the next sync continues" in caplog.messages


@pytest.mark.parametrize(("before", "after", "runs_away"), [(310, 400, False), (310, 420, True), (0, 220, True)])
def test_growth_is_measured_by_what_came_where_the_count_ends_early(before: int, after: int, runs_away: bool) -> None:
    """A count that goes no further than 10,000 does not cut a longer listing short."""
    listing = Listing(reading_of(Repeating([([row(0, seconds=1e9)], 1)])), "updated_at", Window())
    order = Order()
    span = (NOW - START).total_seconds()
    for number in range(before + after):
        seconds = span * number / before if number < before else span + number
        rows = [row(number * 100 + n, seconds=seconds) for n in range(100)]
        listing.observe(Page(rows, True, str(number), 10_000, NOW, None), order)
    assert listing.runs_away is runs_away


def test_without_any_clock_the_newest_row_less_an_hour_is_the_mark(caplog: pytest.LogCaptureFixture) -> None:
    """Where neither envelope nor header tells the time, the watermark stays an hour behind the newest row."""
    client = Script([([row(1), row(7200)], 2)], server_time=None)
    [chunk] = read_incremental(reading_of(client), {"updated_after": format_instant(START)}, Reach(60))
    assert chunk.state == {"updated_after": format_instant(START + timedelta(seconds=3600))}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_without_any_clock_and_rows_the_mark_stays() -> None:
    """Nothing new and no clock: the watermark stays where it was."""
    client = Script([([], 0)], server_time=None)
    [chunk] = read_incremental(reading_of(client), {"updated_after": format_instant(START)}, Reach(60))
    assert chunk.state is None


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield


def test_cursors_that_expire_within_one_timestamp_end_in_an_error() -> None:
    """Where a timestamp fills more pages than a cursor lives, the listing is given up, not read for ever."""

    class Expiring:
        def __init__(self) -> None:
            self.requests = 0

        def get(
            self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True
        ) -> Answer:
            self.requests += 1
            if "cursor" in params:
                raise BadRequest("cursor expired", status=400)
            return Answer([row(n, seconds=5) for n in range(100)], {"has_more": True, "next_cursor": "c"}, NOW, None)

    client = Expiring()
    with pytest.raises(BadRequest):
        keys(Listing(reading_of(client), "created_at", Window()))
    assert client.requests <= 12


def test_row_that_slipped_before_a_restart_is_read_again() -> None:
    """The count of the first page holds over restarts: a row that a place-counting cursor skipped is found."""
    pages = [
        ([row(0), row(1)], 5),  # row 0 vanishes, another comes: the count stays, and row 2 slips
        ([row(3), row(4)], 5),
        ([row(4), row(5)], 3),  # two vanish: taken up after row 1
        ([row(n) for n in range(1, 6)], 5),
    ]
    client = Script(pages)
    assert set(keys(Listing(reading_of(client), "created_at", Window()))) == {f"tkt_{n:05}" for n in range(6)}


def test_listing_that_has_not_begun_claims_nothing() -> None:
    """Neither a place to go on from, nor that rows are missing."""
    listing = Listing(reading_of(Script([([row(0)], 1)])), "created_at", Window())
    assert (listing.complete, listing.cut_short, listing.has_gap, listing.surplus) == (True, False, False, 0)
    assert (listing.safe_cut, listing.runs_away) == (None, False)


def test_one_row_is_asked_for_to_prove_the_order() -> None:
    """The newest one."""
    client = Script([([row(0), row(1)], 3), ([row(2)], 3)])
    listing = Listing(reading_of(client), "created_at", Window())
    pages = listing.pages()
    next(pages)
    assert listing.prove_order()
    assert client.asked[-1] == {"sort": "-created_at", "limit": 1}
    assert listing.safe_cut == START + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("total", "after", "runs_away"), [(None, 3, False), (None, 4, True), (5, 5, False), (5, 6, True)]
)
def test_list_runs_away_once_more_rows_came_than_it_may_grow_by(total: int | None, after: int, runs_away: bool) -> None:
    """Beyond those that it had at the beginning, by the API's count or by what came."""
    listing = Listing(reading_of(Repeating([])), "updated_at", Window())
    early, late = NOW - timedelta(days=1), NOW + timedelta(seconds=1)
    order = Order()
    for number, stamp in [(3, early), (GROWTH_ROWS + after, late)]:
        rows = [{"id": "tkt_1", "updated_at": format_instant(stamp)}] * number
        listing.observe(Page(rows, True, "c", total, NOW, None), order)
    assert listing.runs_away is runs_away
