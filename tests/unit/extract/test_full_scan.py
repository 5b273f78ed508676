"""Full scans: all rows of a list, and whether the list was complete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import Page
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.full_scan import FullScan
from cogny_source.extract.listing import Listing
from cogny_source.extract.next_step import MAX_RESTARTS
from cogny_source.timestamps import format_instant

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=30)


def ticket(number: int) -> dict[str, Any]:
    """A ticket that was created so many seconds after the start."""
    stamp = format_instant(START + timedelta(seconds=number))
    return {"id": f"tkt_{number}", "created_at": stamp, "updated_at": stamp}


class Api:
    """Answers with a list of the tickets that it shows in each reading.

    Args:
        readings: The rows of each reading; the last one is repeated.
        counts: Whether answers have a `total_count`.
        surplus: How many rows it counts beyond those of the first reading.
        page_rows: Rows a page.
    """

    def __init__(self, *readings: list[int], counts: bool = True, surplus: int = 0, page_rows: int = 2) -> None:
        self.sent: list[dict[str, Any]] = []
        self._readings = list(readings)
        self._total = len(readings[0]) + surplus if counts else None
        self._page_rows = page_rows

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """A page, newest first where that is asked for."""
        self.sent.append(dict(params))
        begins = "cursor" not in params
        newest_first = str(params["sort"]).startswith("-")
        if begins and not newest_first and sum("cursor" not in sent for sent in self.sent) > 1:
            self._readings = self._readings[1:] or self._readings
        rows = [ticket(number) for number in self._readings[0]]
        if "created_after" in params:
            rows = [row for row in rows if row["created_at"] >= str(params["created_after"])]
        if newest_first:
            rows.reverse()
        place = int(str(params.get("cursor", 0)))
        page, rest = rows[place : place + self._page_rows], rows[place + self._page_rows :]
        pagination = {"has_more": bool(rest), "next_cursor": str(place + len(page)), "total_count": self._total}
        return Answer(page, pagination, NOW + timedelta(seconds=len(self.sent)), None)


def scan_of(api: Api, *, start: datetime | None = None, chunk_rows: int = 1000) -> FullScan:
    """A scan of tickets."""
    return FullScan(ReadContext(api, ENDPOINTS["tickets"], Meter(), lambda: None, chunk_rows), start)


def ids(scan: FullScan) -> list[list[str]]:
    """The keys of each chunk that is not empty."""
    return [chunk.tables["tickets"]["id"].to_pylist() for chunk in scan.chunks() if chunk.tables]


def test_scan_reads_all_rows_in_chunks() -> None:
    """Each chunk has about the rows that were asked for, and no state: the resource's state does not change."""
    api = Api([1, 2, 3, 4, 5])
    scan = scan_of(api, chunk_rows=2)
    assert not scan.complete
    chunks = list(scan.chunks())
    assert [chunk.rows for chunk in chunks if chunk.rows] == [2, 2, 1]
    assert {chunk.state for chunk in chunks} == {None}
    assert (scan.complete, scan.surplus, scan.counts.api_rows) == (True, 0, 5)
    assert scan.began_at == NOW + timedelta(seconds=1)
    assert scan.ended_at == NOW + timedelta(seconds=len(api.sent))


def test_scan_has_counts_of_its_own() -> None:
    """Those of the sync around it stay as they were."""
    context = ReadContext(Api([1]), ENDPOINTS["tickets"], Meter(), lambda: None, 1000)
    scan = FullScan(context, None)
    list(scan.chunks())
    assert (scan.counts.api_rows, context.counts.api_rows) == (1, None)


def test_rows_before_the_start_are_left_out() -> None:
    """Also where the API shows them, as its filter is a second wider."""
    assert ids(scan_of(Api([1, 2, 3, 4]), start=START + timedelta(seconds=3))) == [["tkt_3", "tkt_4"]]


def test_rows_that_are_counted_but_never_listed_are_the_surplus() -> None:
    """The list is read again and again; if the difference stays, the list is complete."""
    scan = scan_of(Api([1, 2, 3], surplus=2))
    assert {key for chunk in ids(scan) for key in chunk} == {"tkt_1", "tkt_2", "tkt_3"}
    assert (scan.complete, scan.surplus) == (True, 2)


@pytest.mark.parametrize("second", [[1, 2, 3, 4], [3, 4]])
def test_list_without_a_count_is_read_twice(second: list[int]) -> None:
    """A row that slipped out of the first listing is in the second."""
    api = Api([1, 2, 4], second, counts=False)
    scan = scan_of(api)
    assert {key for chunk in ids(scan) for key in chunk} == {"tkt_1", "tkt_2", "tkt_3", "tkt_4"}
    begun = [sent for sent in api.sent if "cursor" not in sent and not str(sent["sort"]).startswith("-")]
    assert len(begun) == 2 <= 1 + MAX_RESTARTS


class Warehouses:
    """Two pages of warehouses, which count one more than they list.

    Args:
        surplus: How many rows they count beyond those that they list; None if they do not count.
    """

    def __init__(self, surplus: int | None) -> None:
        self._total = None if surplus is None else 3 + surplus
        self._sent = 0

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """A page, each a second after the one before."""
        self._sent += 1
        first = "cursor" not in params
        rows = [{"id": f"wh_{number}"} for number in ((1, 2) if first else (3,))]
        pagination = {"has_more": first, "next_cursor": "c" if first else None, "total_count": self._total}
        return Answer(rows, pagination, NOW + timedelta(seconds=self._sent), None)


@pytest.mark.parametrize(("surplus", "counted", "seconds"), [(0, 3, 2), (2, 5, 8), (None, 3, 2)])
def test_list_that_is_always_read_whole_is_scanned(surplus: int | None, counted: int, seconds: int) -> None:
    """It is complete, begins with its first page, and its rows and those that are counted beyond them are its count."""
    scan = FullScan(ReadContext(Warehouses(surplus), ENDPOINTS["warehouses"], Meter(), lambda: None, 1000), None)
    assert (scan.complete, scan.surplus) == (False, 0)
    rows = [key for chunk in scan.chunks() for key in chunk.tables["warehouses"]["id"].to_pylist()]
    assert rows == ["wh_1", "wh_2", "wh_3"]
    assert (scan.complete, scan.surplus, scan.counts.api_rows) == (True, surplus or 0, counted)
    assert (scan.began_at, scan.ended_at) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=seconds))
    assert scan.counts.taken_at == scan.began_at
    assert scan.digests.keys() == {"wh_1", "wh_2", "wh_3"}


def test_list_that_was_cut_short_is_not_complete() -> None:
    """It grew faster than it was read: no row may be marked that it lacks."""

    def cut(listing: Listing) -> Iterator[Page]:
        listing.cut_short = True
        yield Page([ticket(1)], False, None, 1, NOW, None)

    scan = scan_of(Api([1]))
    with patch.object(Listing, "pages", cut):
        list(scan.chunks())
    assert not scan.complete
