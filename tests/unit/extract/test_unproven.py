"""Rows that slip out of a listing just before it is interrupted: the span is remembered, and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import Stopped
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.unproven import MOST_SPANS, Span, load_spans, note_spans, reread_spans
from cogny_source.records.chunk import Chunk
from cogny_source.sandbox import SandboxServer, World
from cogny_source.windows import Window
from tests.support.harness import Api, Destination

DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[Api]:
    """1,200 tickets behind cursors that count places."""
    with SandboxServer(World(seed=3, tickets=1200, ties=0.0)) as server:
        server.switches.cursor_kind = "offset"
        yield Api(server)


def act_at(page: int, *acts: Callable[[], Any]) -> Callable[[], None]:
    """What is called after each page, and acts after some of them, one after the other."""
    pages: list[None] = []

    def after_page() -> None:
        pages.append(None)
        place = len(pages) - page
        if 0 <= place < len(acts):
            acts[place]()

    return after_page


def stop() -> None:
    """A signal."""
    raise Stopped(15)


def delete_and_create(api: Api) -> None:
    """A row behind the reader goes and one before it comes, so that the API counts as before."""
    world = api.server.world
    first = world.rows("tickets")[5]
    world.delete("tickets", first["id"])
    world.churn("tickets", 0, 1, 0)


def listed(api: Api, destination: Destination) -> dict[str, datetime | None]:
    """The destination's rows that the API still lists."""
    truth = api.truth()
    return {key: version for key, version in destination.rows.items() if key in truth}


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("killed", [True, False])
def test_row_that_slipped_before_an_interrupted_first_load_is_there(api: Api, *, counted: bool, killed: bool) -> None:
    """A deletion that the count does not show, then a signal or a kill: the next run finds the row that slipped."""
    api.server.switches.total_count = counted
    destination = Destination()
    after_page = act_at(3, lambda: delete_and_create(api), lambda: None, stop if not killed else lambda: None)
    if killed:
        reader = api.read(destination, chunk_rows=200, after_page=after_page)
        for _ in range(3):
            next(reader)
        reader.close()
    else:
        with pytest.raises(Stopped):
            list(api.read(destination, chunk_rows=200, after_page=after_page))
    missing = api.truth().keys() - destination.rows.keys()
    assert missing
    api.sync(destination)
    assert listed(api, destination) == api.truth()
    assert "unproven" not in destination.state


def test_cut_never_passes_rows_that_are_seen_to_slip(api: Api) -> None:
    """Where the count falls between two pages, what is committed at that page is cut before it."""
    destination = Destination()
    gone = api.server.world.rows("tickets")[5]["id"]
    after_page = act_at(4, lambda: api.server.world.delete("tickets", gone))
    reader = api.read(destination, chunk_rows=500, after_page=after_page)
    next(reader)
    reader.close()
    slipped = api.server.world.rows("tickets")[399]
    [[start, _]] = destination.state["backfill"]["windows"]
    assert slipped["id"] not in destination.rows
    assert datetime.fromisoformat(start) <= datetime.fromisoformat(slipped["created_at"])


def test_span_of_which_nothing_went_is_not_read_again(api: Api) -> None:
    """Where the counts show that only new rows came since, an interrupted first load goes on where it was."""
    destination = Destination()
    with pytest.raises(Stopped):
        list(api.read(destination, chunk_rows=400, after_page=act_at(9, stop)))
    api.server.world.churn("tickets", 0, 7, 0)
    meter = api.sync(destination)
    assert destination.rows == api.truth()
    assert meter.rows < 600
    assert "unproven" not in destination.state


def test_change_that_slipped_before_an_interrupted_sync_is_there(api: Api) -> None:
    """A row that changes again behind the reader pushes another out of the list of changes, just before a signal."""
    destination, world = Destination(), api.server.world
    api.sync(destination)
    keys = list(api.truth())
    for key in keys[:700]:
        world.patch("tickets", key, notes="changed")
    after_page = act_at(2, lambda: world.patch("tickets", keys[3], notes="again"), lambda: None, stop)
    with pytest.raises(Stopped):
        list(api.read(destination, chunk_rows=200, after_page=after_page))
    assert load_spans(destination.state)
    assert destination.rows != api.truth()
    api.sync(destination)
    assert destination.rows == api.truth()
    assert load_spans(destination.state) == []


def test_interrupted_sync_of_rows_that_rest_costs_no_repeat() -> None:
    """Where the pass that goes on brings no later change, what was committed is not read again."""
    world = World(seed=3, tickets=1200, ties=0.0, now=DAY)
    with SandboxServer(world) as server:
        api, destination = Api(server), Destination()
        api.sync(destination)
        for place, key in enumerate(list(api.truth())[:700]):
            if place % 100 == 0:
                world.advance(DAY + timedelta(hours=1 + place // 100), created=0, changed=0)
            world.patch("tickets", key, notes="changed")
        world.advance(DAY + timedelta(hours=9), created=0, changed=0)
        with pytest.raises(Stopped):
            list(api.read(destination, chunk_rows=200, after_page=act_at(5, stop)))
        assert load_spans(destination.state)
        meter = api.sync(destination)
        assert destination.rows == api.truth()
        assert meter.rows < 400
        assert load_spans(destination.state) == []


def test_run_that_is_killed_each_time_gets_on(api: Api) -> None:
    """First load, changes and spans to read again: each killed run brings more, and the last one brings the rest."""
    destination = Destination()
    for _ in range(12):
        reader = api.read(destination, chunk_rows=200, after_page=act_at(2, lambda: delete_and_create(api)))
        for _ in range(2):
            next(reader, None)
        reader.close()
    api.sync(destination)
    api.sync(destination)
    assert listed(api, destination) == api.truth()
    assert "unproven" not in destination.state


def span(first: int, last: int, counted: int | None = 5) -> Span:
    """A span of days of March."""
    return Span("created_at", Window(DAY + timedelta(first), DAY + timedelta(last)), DAY, counted)


def test_spans_survive_the_state() -> None:
    """What is noted is read back, in order; spans of one listing that touch are one."""
    state = note_spans({"origin": "here"}, [span(4, 5), span(0, 2), span(2, 3)])
    assert load_spans(state) == [span(0, 3), span(4, 5)]
    assert note_spans(state, []) == {"origin": "here"}


def test_spans_of_many_interrupted_runs_become_one() -> None:
    """A run that is killed each day does not lengthen the state."""
    spans = [span(day, day + 1, counted=day) for day in range(MOST_SPANS + 1)]
    assert load_spans(note_spans({}, spans[:-1])) == spans[:-1]
    assert load_spans(note_spans({}, spans)) == [span(0, MOST_SPANS + 1, counted=None)]


class Listed:
    """An API that lists one row, created a day after `DAY` and changed a day later, whatever is asked for.

    Args:
        short: Whether it counts more rows with each request.
    """

    def __init__(self, *, short: bool = False) -> None:
        self.asked: list[dict[str, Any]] = []
        self._short = short

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The row."""
        self.asked.append(dict(params))
        row = {"id": "tkt_1"} | {
            f"{stem}_at": (DAY + timedelta(days=days)).isoformat() for stem, days in (("created", 1), ("updated", 2))
        }
        pages, more = len(self.asked), self._short and "cursor" not in params
        pagination = {
            "has_more": more,
            "next_cursor": "c" if more else None,
            "total_count": pages if self._short else 1,
        }
        return Answer([row], pagination, DAY + timedelta(days=3), None)


def reread(api: Listed, state: dict[str, Any], newest: datetime | None = None) -> Chunk:
    """The last chunk of reading the spans of a state again."""
    context = ReadContext(api, ENDPOINTS["tickets"], Meter(), lambda: None, 1000)
    *_, last = reread_spans(context, state, newest)
    return last


@pytest.mark.parametrize(
    ("field", "window", "start_days", "rows"),
    [
        ("created_at", Window(DAY, DAY + timedelta(days=2)), None, 1),
        ("created_at", Window(DAY, DAY + timedelta(days=1)), None, 0),
        ("updated_at", Window(DAY, DAY + timedelta(days=1)), None, 1),
        ("updated_at", Window(DAY, DAY + timedelta(days=9)), 2.0, 0),
    ],
)
def test_span_is_read_again_within_its_bounds(field: str, window: Window, start_days: float | None, rows: int) -> None:
    """Of a span of creation only its own rows; of a span of changes all rows from the start date on."""
    start = None if start_days is None else (DAY + timedelta(days=start_days)).isoformat()
    last = reread(Listed(), note_spans({"start_date": start}, [Span(field, window)]))
    assert (last.rows, last.last, last.state) == (rows, True, {"start_date": start})


def test_span_that_lacks_rows_again_stays() -> None:
    """The next run reads it once more."""
    spans = [Span("created_at", Window(DAY, DAY + timedelta(days=9)))]
    last = reread(Listed(short=True), note_spans({}, spans))
    assert last.last
    assert last.state is not None
    assert load_spans(last.state) == spans


@pytest.mark.parametrize(
    ("began_at", "seconds", "asked"), [(DAY, None, 0), (DAY, -1.1, 0), (DAY, -1.0, 1), (DAY, 0.0, 1), (None, None, 1)]
)
def test_span_of_changes_is_proven_where_nothing_changed_since(
    began_at: datetime | None, seconds: float | None, asked: int
) -> None:
    """The pass after it lists each row that left the span; a second is left as a margin."""
    newest = None if seconds is None else DAY + timedelta(seconds=seconds)
    api = Listed()
    last = reread(api, note_spans({}, [Span("updated_at", Window(DAY, DAY + timedelta(days=9)), began_at)]), newest)
    assert len(api.asked) == asked
    assert last.state == {}


@pytest.mark.parametrize(("counted", "asked"), [(0, 2), (1, 3), (None, 1)])
def test_span_of_creation_is_proven_by_counts(counted: int | None, asked: int) -> None:
    """As many rows are there as were counted before, less those that came since; without a count it is read again."""
    api = Listed()
    span = Span("created_at", Window(DAY, DAY + timedelta(days=9)), DAY, counted)
    assert reread(api, note_spans({}, [span])).state == {}
    assert len(api.asked) == asked


@pytest.mark.parametrize(("hours", "joined"), [((3, 1), 1), ((1, 3), 1), ((None, 1), None), ((1, None), None)])
def test_joined_spans_of_changes_began_with_the_earlier_one(hours: tuple[int | None, ...], joined: int | None) -> None:
    """If one of the two is unknown, nothing proves their span."""
    times = [None if hour is None else DAY + timedelta(hours=hour) for hour in hours]
    spans = [
        Span("updated_at", Window(DAY + timedelta(day), DAY + timedelta(day + 1)), began_at, 5)
        for day, began_at in enumerate(times)
    ]
    [found] = load_spans(note_spans({}, spans))
    assert found.window == Window(DAY, DAY + timedelta(2))
    assert (found.began_at, found.counted) == (None if joined is None else DAY + timedelta(hours=joined), None)
