"""Lists that each sync reads completely: when they are loaded, and when they are read again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.full_table import digest_list, digest_row, list_full_table, note_list, read_full_table
from cogny_source.extract.next_step import MAX_RESTARTS
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import format_instant

NOW = datetime(2026, 1, 31, tzinfo=UTC)
REFUSED = BadRequest("the cursor is unknown", status=400)

# An answer: rows, and the API's count.
Told = tuple[list[dict[str, Any]], int | None]


def warehouse(number: int, **fields: Any) -> dict[str, Any]:
    """A warehouse, without timestamps, as the contract shows it."""
    return {"id": f"wh_{number}", "name": f"Warehouse {number}", "type": "bigquery", **fields}


class Lists:
    """Answers from lists of pages, one list a reading; an error in place of a page is raised."""

    def __init__(self, *lists: Iterable[Told | Exception]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._answers = [(step, place) for pages in lists for place, step in self._number(pages)]

    @staticmethod
    def _number(pages: Iterable[Told | Exception]) -> list[tuple[bool, Told | Exception]]:
        steps = list(pages)
        return [(place < len(steps) - 1, step) for place, step in enumerate(steps)]

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The next page."""
        self.sent.append(dict(params))
        step, more = self._answers.pop(0)
        if isinstance(step, Exception):
            raise step
        rows, total = step
        pagination = {"has_more": more, "next_cursor": f"c{len(self.sent)}" if more else None, "total_count": total}
        return Answer(rows, pagination, NOW + timedelta(seconds=len(self.sent)), None)


def context_of(client: Lists) -> ReadContext:
    """Reading warehouses from a client."""
    return ReadContext(client, ENDPOINTS["warehouses"], Meter(), lambda: None, 1000)


def read(client: Lists, state: dict[str, Any]) -> tuple[Chunk, ReadContext]:
    """The one chunk of a reading, and its counts."""
    context = context_of(client)
    [chunk] = read_full_table(context, state)
    return chunk, context


def ids(chunk: Chunk) -> list[str]:
    """The keys of a chunk's warehouses."""
    return list(chunk.tables["warehouses"]["id"].to_pylist()) if chunk.tables else []


def test_all_rows_are_loaded_once() -> None:
    """A row that two pages bring is loaded in its newest form; the count is the API's."""
    pages: list[Told] = [([warehouse(1), warehouse(2)], 3), ([warehouse(2, name="new"), warehouse(3)], 3)]
    chunk, context = read(Lists(pages), {})
    assert ids(chunk) == ["wh_1", "wh_2", "wh_3"]
    assert chunk.tables["warehouses"]["name"].to_pylist() == ["Warehouse 1", "new", "Warehouse 3"]
    assert (chunk.last, context.counts.api_rows, context.counts.taken_at) == (True, 3, NOW + timedelta(seconds=1))
    assert chunk.state is not None
    assert chunk.state["list_digest"] == context.counts.list_digest


def test_an_unchanged_list_is_not_loaded_again() -> None:
    """Nor where its rows come in another order; any row that is new, gone or other loads the whole list."""
    first, _ = read(Lists([([warehouse(1), warehouse(2)], 2)]), {})
    state = first.state
    assert state is not None
    again, context = read(Lists([([warehouse(2), warehouse(1)], 2)]), state)
    assert (again.rows, again.tables, again.state, again.last) == (0, {}, None, True)
    assert context.counts.api_rows == 2
    for rows in ([warehouse(1)], [warehouse(1), warehouse(2), warehouse(3)], [warehouse(1), warehouse(2, name="x")]):
        assert ids(read(Lists([(rows, len(rows))]), state)[0]) == [row["id"] for row in rows]


@pytest.mark.parametrize(("hours", "rests"), [(0, True), (23.9, True), (24, False), (-23.9, True), (-24, False)])
def test_an_unchanged_list_is_compared_once_a_day(hours: float, rests: bool) -> None:
    """Also where a clock was a day ahead."""
    now = NOW + timedelta(hours=hours)
    state = {"list_digest": "d", "compared_at": format_instant(NOW), "digests": {"wh_1": "old form"}, "kept": 1}
    expected = None if rests else {"list_digest": "d", "compared_at": format_instant(now), "kept": 1}
    assert note_list(state, "d", now) == expected
    assert note_list(state, "other", now) == {"list_digest": "other", "compared_at": format_instant(now), "kept": 1}


@pytest.mark.parametrize("state", [{}, {"list_digest": "d"}, {"list_digest": "d", "compared_at": "yesterday"}])
def test_a_list_of_unknown_age_is_loaded(state: dict[str, Any]) -> None:
    """Nothing tells when it was compared."""
    assert note_list(state, "d", NOW) == {"list_digest": "d", "compared_at": format_instant(NOW)}


def test_a_list_without_a_clock_is_loaded_each_time() -> None:
    """An API that tells no time is compared each time."""
    state = {"list_digest": "d", "compared_at": format_instant(NOW)}
    assert note_list(state, "d", None) == {"list_digest": "d", "compared_at": None}


def test_a_list_that_counts_more_than_it_shows_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    """Rows that slipped between two pages come in a later reading."""
    client = Lists([([warehouse(1)], 2)], [([warehouse(2)], 2)])
    with caplog.at_level(logging.WARNING):
        assert [row["id"] for page in list_full_table(context_of(client)) for row in page.rows] == ["wh_1", "wh_2"]
    assert "counts 2 rows and listed 1" in caplog.text
    assert len(client.sent) == 2


def test_a_list_that_always_counts_more_ends() -> None:
    """The difference is left to the comparison of counts."""
    client = Lists(*([([warehouse(1)], 2)] for _ in range(9)))
    assert len(list(list_full_table(context_of(client)))) == 1 + MAX_RESTARTS == len(client.sent)


def test_a_cursor_that_expires_begins_the_list_again() -> None:
    """Its first page has no cursor."""
    client = Lists([([warehouse(1)], 2), REFUSED], [([warehouse(1)], 2), ([warehouse(2)], 2)])
    chunk, _ = read(client, {})
    assert ids(chunk) == ["wh_1", "wh_2"]
    assert ["cursor" in sent for sent in client.sent] == [False, True, False, True]


def test_a_refused_list_fails() -> None:
    """At its first page at once, and after so many restarts where its cursors always expire."""
    client = Lists([REFUSED])
    with pytest.raises(BadRequest, match="the cursor is unknown"):
        read(client, {})
    assert len(client.sent) == 1
    pages: list[Told | Exception] = [([warehouse(1)], 2), REFUSED]
    client = Lists(*(pages for _ in range(9)))
    with pytest.raises(BadRequest, match="the cursor is unknown"):
        read(client, {})
    assert len(client.sent) == 2 * (1 + MAX_RESTARTS)


def test_digests_tell_rows_apart_whatever_is_in_them() -> None:
    """The order of members does not count; integers beyond 64 bits and lone surrogates do."""
    assert digest_row({"id": "a", "n": 1}) == digest_row({"n": 1, "id": "a"})
    rows: list[dict[str, Any]] = [{"n": 1}, {"n": 2}, {"n": 2**70}, {"n": 2**70 + 1}, {"n": "\ud800"}, {"n": "\ud801"}]
    assert len({digest_row(row) for row in rows}) == len(rows)
    assert digest_list({"a": "1", "b": "2"}) == digest_list({"b": "2", "a": "1"}) != digest_list({"a": "2", "b": "1"})
    assert len(digest_list({str(n): "x" for n in range(1000)})) == 24
    assert {len(digest_row(row)) for row in rows} == {24}


def test_empty_list_has_no_rows() -> None:
    """Whether the API counts it or not; its state is that of any list."""
    for total in (0, None):
        chunk, context = read(Lists([([], total)]), {})
        assert (chunk.rows, chunk.last, context.counts.api_rows) == (0, True, 0)
        assert chunk.state is not None
        assert chunk.state["list_digest"] == digest_list({})
