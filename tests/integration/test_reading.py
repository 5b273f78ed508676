"""A resource read to its end, or killed on the way, over an API that keeps none of its optional promises."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.errors import BadRequest, CognyError, PaginationError, Stopped
from cogny_source.extract import backfill, parallel
from cogny_source.extract.plan import Plan
from cogny_source.sandbox import SandboxServer, Switches, World
from tests.support.harness import Api, Destination


@pytest.fixture
def api() -> Iterator[Api]:
    """2,000 tickets, of which many share a timestamp."""
    with SandboxServer(World(seed=3, tickets=2000, reports=250, ties=0.5)) as server:
        yield Api(server)
        server.switches.away = False


@pytest.fixture(params=[1, 3])
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """1,200 tickets, read by one reader, and by three as soon as the order is proven."""
    monkeypatch.setattr(parallel, "WORTHWHILE_ROWS", 150)
    monkeypatch.setattr(backfill, "count_readers", lambda reading, *_: reading.workers)
    with SandboxServer(World(seed=3, tickets=1200, ties=0.5)) as server:
        yield Api(server, workers=request.param)


def quiet(api: Api) -> None:
    """The writer stops."""
    switches = api.server.switches
    switches.churn_per_page = switches.churn_creates_per_page = switches.churn_deletes_per_page = 0


def listed(api: Api, destination: Destination) -> dict[str, datetime | None]:
    """The destination's rows that the API still lists; vanished rows are a census's business."""
    truth = api.truth()
    return {key: version for key, version in destination.rows.items() if key in truth}


HABITS: dict[str, dict[str, Any]] = {
    "as documented": {},
    "inclusive bounds": {"inclusive_bounds": True},
    "ignored filters": {"ignored_filters": {"tickets": {"updated_after", "created_after"}}},
    "ignored sort": {"ignored_sorts": {"tickets": "oldest_first"}},
    "ignored sort, newest first": {"ignored_sorts": {"tickets": "newest_first"}},
    "offset cursors": {"cursor_kind": "offset"},
    "expiring cursors": {"cursor_lifetime_pages": 4},
    "no server clock in envelopes": {"meta_timestamp": False},
    "no server clock at all": {"meta_timestamp": False, "date_header": False},
    "no total_count": {"total_count": False},
    "server an hour behind": {"clock_offset_seconds": -3600},
}


@pytest.mark.parametrize(("changes", "chunks"), [(0, 1), (10, 2)])
def test_first_load_and_a_short_pass_after_it_are_one_chunk(api: Api, changes: int, chunks: int) -> None:
    """A longer pass does not keep what the first load read waiting."""
    api.server.switches.churn_per_page = changes
    destination = Destination()
    api.sync(destination, chunk_rows=20_000)
    assert destination.chunks == chunks
    assert destination.rows.keys() == api.truth().keys()
    quiet(api)
    api.sync(destination)
    assert destination.rows == api.truth()


@pytest.mark.parametrize("changes", [0, 10])
def test_first_load_is_kept_where_the_pass_after_it_ends(api: Api, changes: int) -> None:
    """The next run begins at its watermark."""
    api.server.switches.churn_per_page = changes
    destination = Destination()
    pages: list[None] = []

    def strike() -> None:
        pages.append(None)
        if len(pages) > 2000 / 100:
            raise Stopped(15)

    with pytest.raises(Stopped):
        list(api.read(destination, chunk_rows=20_000, after_page=strike))
    assert destination.rows.keys() == api.truth().keys()
    assert "backfill" not in destination.state
    quiet(api)
    assert api.sync(destination).requests <= 5
    assert destination.rows == api.truth()


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.replace(" ", "-"))
def test_moving_rows_are_exact_after_a_quiet_sync(shared: Api, habit: str) -> None:
    """Rows that change, appear and vanish during the listings are all there once the writer has stopped."""
    apply(shared, HABITS[habit])
    destination = Destination()
    apply(shared, {"churn_per_page": 3, "churn_creates_per_page": 1, "churn_deletes_per_page": 1})
    try:
        shared.sync(destination)
        shared.sync(destination)
    except BadRequest:
        assert habit == "expiring cursors"
    quiet(shared)
    if habit == "expiring cursors":
        apply(shared, {"cursor_lifetime_pages": None})
    shared.sync(destination)
    assert listed(shared, destination) == shared.truth()


def apply(api: Api, switches: dict[str, Any]) -> None:
    """Throw switches of the sandbox."""
    for name, value in switches.items():
        setattr(api.server.switches, name, value)


@pytest.mark.parametrize(
    "habit", [name for name in HABITS if name != "expiring cursors"], ids=lambda h: h.replace(" ", "-")
)
def test_killed_backfills_lose_nothing(shared: Api, habit: str) -> None:
    """Killed after random commits while rows change, then run quietly: every row in its newest version."""
    apply(shared, {**HABITS[habit], "churn_per_page": 2})
    chance, destination = random.Random(5), Destination()
    for _ in range(6):
        for _ in shared.read(destination):
            if chance.random() < 0.4:
                break
    quiet(shared)
    shared.sync(destination)
    assert destination.rows == shared.truth()


@pytest.mark.parametrize("hours", [-1, 1])
def test_clock_of_this_machine_does_not_matter(api: Api, hours: int) -> None:
    """The watermark is the server's clock: an hour's error of this machine's loses nothing."""
    skewed, destination = Api(api.server, clock_offset_seconds=3600 * hours), Destination()
    apply(api, {"churn_per_page": 3})
    skewed.sync(destination)
    skewed.sync(destination)
    quiet(api)
    skewed.sync(destination)
    assert destination.rows == api.truth()


def test_backfill_goes_on_where_it_was_killed(api: Api) -> None:
    """What was committed is not fetched again, but for a page, the proof of the order and of what stood still."""
    undisturbed = api.sync(Destination(), chunk_rows=500).requests
    destination = Destination()
    reader = api.read(destination, chunk_rows=500)
    for _ in range(3):
        next(reader)
    reader.close()
    spent = api.meter.requests
    assert spent + api.sync(destination, chunk_rows=500).requests <= undisturbed + 6
    assert destination.rows == api.truth()


def test_one_timestamp_shared_by_more_rows_than_a_chunk_holds(shared: Api) -> None:
    """A chunk never ends inside a timestamp, and reading does not stall there."""
    rows = shared.server.world.rows("tickets")
    for row in rows[200:900]:
        shared.server.world.put("tickets", {**row, "created_at": rows[200]["created_at"]})
    destination = Destination()
    for _ in range(3):
        for _ in shared.read(destination, chunk_rows=100):
            if destination.chunks % 5 == 0:
                break
    shared.sync(destination, chunk_rows=100)
    assert destination.rows == shared.truth()


def test_request_count_is_pages_and_two(api: Api) -> None:
    """A full load costs a request a page, one to prove the order and one for what changed meanwhile."""
    assert api.sync(Destination(), chunk_rows=20_000).requests == 20 + 2


def test_rows_before_the_first_sync_do_not_come_again(api: Api) -> None:
    """After the first load an incremental pass brings the changed rows only."""
    destination = Destination()
    api.sync(destination)
    rows = api.server.world.rows("tickets")
    changed = [row["id"] for row in rows[:130]]
    api.server.world.advance(datetime.now(UTC), created=0, changed=0)
    for key in changed:
        api.server.world.patch("tickets", key, notes="changed")
    meter = api.sync(destination, Plan(overlap_seconds=0))
    assert (meter.requests, meter.rows) == (2, 130)
    assert destination.rows == api.truth()


def test_lists_follow_their_parents(shared: Api) -> None:
    """An emptied list is empty, a shortened one short."""
    destination = Destination()
    shared.sync(destination)
    rows = [row for row in shared.server.world.rows("tickets") if len(row["action_items"]) > 1]
    shared.server.world.patch("tickets", rows[0]["id"], action_items=[])
    shared.server.world.patch("tickets", rows[1]["id"], action_items=["only"])
    shared.sync(destination)
    assert destination.lists == {row["id"]: row["action_items"] for row in shared.server.world.rows("tickets")}


def test_whole_list_without_pagination_is_complete(api: Api) -> None:
    """A list without `pagination` is read in one request and believed."""
    apply(api, {"pagination_omitted": {"tickets"}})
    destination = Destination()
    assert api.sync(destination).requests == 2
    assert destination.rows == api.truth()


def test_list_that_did_not_change_is_not_loaded_again(api: Api) -> None:
    """The state tells a list of warehouses by one digest, however many they are; a change brings the list."""
    warehouses, destination = Api(api.server, "warehouses"), Destination()
    warehouses.sync(destination)
    loaded, told = set(destination.rows), str(destination.state)
    assert loaded == {row["id"] for row in api.server.world.rows("warehouses")}
    destination.rows.clear()
    warehouses.sync(destination)
    assert destination.rows == {}
    for number in range(250):
        api.server.world.put("warehouses", {"id": f"wh_{number:05}", "name": str(number), "type": "x", "status": "y"})
    warehouses.sync(destination)
    assert len(destination.rows) == len(loaded) + 250
    assert len(str(destination.state)) == len(told)


@pytest.mark.parametrize("switch", ["repeat_cursor", "missing_cursor", "endless"])
def test_cursors_that_lead_nowhere_are_an_error(shared: Api, switch: str) -> None:
    """A list that cannot end is never taken for complete: no watermark moves."""
    apply(shared, {switch: True})
    destination = Destination()
    with pytest.raises(PaginationError):
        shared.sync(destination)
    assert "updated_after" not in destination.state
    apply(shared, {switch: False})
    shared.sync(destination)
    assert destination.rows == shared.truth()


def test_stop_commits_what_is_complete(api: Api) -> None:
    """Stopped after a page, the reading hands out what it has, and goes on there the next time."""
    destination = Destination()
    pages: list[None] = []

    def stop_at_page_14() -> None:
        pages.append(None)
        if len(pages) == 14:
            raise Stopped(15)

    with pytest.raises(Stopped):
        list(api.read(destination, chunk_rows=20_000, after_page=stop_at_page_14))
    assert len(destination.rows) == 1400
    assert api.sync(destination).requests <= 6 + 7
    assert destination.rows == api.truth()


def test_revoked_key_commits_what_is_complete(api: Api) -> None:
    """A key that is refused in the middle ends the reading after what it brought."""
    destination = Destination()
    pages: list[None] = []

    def go_away_after_page_12() -> None:
        pages.append(None)
        if len(pages) == 12:
            api.server.switches.away = True

    with pytest.raises(CognyError):
        list(api.read(destination, chunk_rows=20_000, after_page=go_away_after_page_12))
    assert len(destination.rows) == 1200
    api.server.switches.away = False
    api.sync(destination)
    assert destination.rows == api.truth()


def test_rows_stamped_in_the_future_are_loaded(shared: Api) -> None:
    """A row whose timestamps lie beyond the server's clock is listed, hence loaded."""
    row = shared.server.world.rows("tickets")[0]
    future = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    shared.server.world.put("tickets", {**row, "id": "tkt_future", "created_at": future, "updated_at": future})
    destination = Destination()
    shared.sync(destination)
    assert destination.rows == shared.truth()


def test_ignored_filter_is_told_with_its_cost(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Where `updated_after` is ignored the listing is still right, and a warning says what it costs."""
    reports = Api(api.server, "reports")
    apply(reports, {"ignored_filters": {"reports": {"updated_after"}}, "ignored_sorts": {"reports": "oldest_first"}})
    destination = Destination()
    reports.sync(destination)
    caplog.clear()
    finished = next(row["id"] for row in api.server.world.rows("reports") if row["status"] == "completed")
    api.server.world.patch("reports", finished, metadata={"reviewed": True})
    reports.sync(destination)
    assert destination.rows == reports.truth()
    assert [r.getMessage() for r in caplog.records if "ignores" in r.getMessage()] == [
        "/reports ignores updated_after: each sync lists all 250 rows, 3 requests"
    ]


def test_switches_exist() -> None:
    """Every habit names switches of the sandbox."""
    known = set(vars(Switches()))
    assert {name for habit in HABITS.values() for name in habit} <= known


def test_stopped_full_refresh_goes_on_in_the_next_sync(api: Api) -> None:
    """A full refresh that is stopped early is not forgotten: the next sync reads the rest."""
    destination = Destination()
    pages: list[None] = []
    api.sync(destination)
    destination.rows.clear()

    def stop_at_page_3() -> None:
        pages.append(None)
        if len(pages) == 3:
            raise Stopped(15)

    with pytest.raises(Stopped):
        list(api.read(destination, Plan(full_refresh=True), after_page=stop_at_page_3, chunk_rows=20_000))
    assert len(destination.rows) == 300
    api.sync(destination)
    assert destination.rows == api.truth()


def test_whole_list_is_read_again_where_its_cursor_expired(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Warehouses that come in pages survive a cursor that expires once."""
    for number in range(250):
        api.server.world.put("warehouses", {"id": f"wh_{number:05}", "name": str(number), "type": "x", "status": "y"})
    warehouses, destination = Api(api.server, "warehouses"), Destination()
    pages: list[None] = []
    apply(api, {"cursor_lifetime_pages": 1, "pagination_omitted": set()})

    def heal() -> None:
        pages.append(None)
        if len(pages) == 3:
            api.server.switches.cursor_lifetime_pages = None

    list(warehouses.read(destination, after_page=heal))
    assert [message.endswith("reading the list again") for message in caplog.messages] == [True]
    assert set(destination.rows) == {row["id"] for row in api.server.world.rows("warehouses")}
