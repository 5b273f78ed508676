"""A long first load, read by several readers side by side: windows, ends of readers, and rows that no window holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import Getter
from cogny_source.errors import CognyError, ContractError, Stopped
from cogny_source.extract import backfill, parallel
from cogny_source.sandbox import SandboxServer, World
from tests.support.harness import Api, Destination
from tests.support.syncs import settings_for

TICKETS = 6_000

WORKERS = 4


def test_undated_rows_are_found_by_the_count(
    pipeline: dlt.Pipeline, ask: Callable[[str], list[tuple[object, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row in no window, as its `created_at` cannot be read, is brought by the census that the counts ask for."""
    monkeypatch.setattr(backfill, "count_readers", lambda reading, *_: reading.workers)
    monkeypatch.setattr(parallel, "WORTHWHILE_ROWS", 500)
    with SandboxServer(World(seed=3, tickets=3_000, reports=5, warehouses=2)) as server:
        server.world.put("tickets", server.world.rows("tickets")[-1] | {"id": "tkt_undated", "created_at": "one day"})
        sync(pipeline, settings_for(server, workers=WORKERS))
        assert ask("SELECT count(*), count(*) FILTER (id = 'tkt_undated') FROM tickets") == [(3_001, 1)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """6,000 tickets for four readers, however fast this machine is."""
    monkeypatch.setattr(backfill, "count_readers", lambda reading, *_: reading.workers)
    with SandboxServer(World(seed=3, tickets=TICKETS, ties=0.2)) as server:
        yield Api(server, workers=WORKERS)
        server.switches.away = False


def listings(api: Api) -> set[str | None]:
    """Where the listings by creation began."""
    asked = [request.params for request in api.server.requests if request.params.get("sort") == "created_at"]
    return {params.get("created_after") for params in asked}


def test_windows_are_read_side_by_side(api: Api) -> None:
    """Each row is read once, but for a page and a proof of order a reader."""
    destination = Destination()
    meter = api.sync(destination, chunk_rows=20_000)
    assert destination.rows == api.truth()
    windows = len(listings(api))
    assert windows > WORKERS
    assert meter.requests <= TICKETS / 100 + 4 + windows
    assert destination.state.keys() >= {"updated_after"}


def test_killed_crew_goes_on_where_each_reader_was(api: Api) -> None:
    """The state holds what is left of each window; what was committed is not fetched again."""
    destination = Destination()
    reader = api.read(destination, chunk_rows=2_500)
    next(reader)
    windows = destination.state["backfill"]["windows"]
    assert len(windows) >= WORKERS - 1
    assert destination.state.keys() == {"origin", "start_date", "backfill", "unproven"}
    ends = [datetime.fromisoformat(end) for _, end in windows[:-1]]
    starts = [datetime.fromisoformat(start) for start, _ in windows[1:]]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    reader.close()
    held, asked = len(destination.rows), api.meter.requests
    assert 2_000 <= held < TICKETS
    rest = api.sync(destination, chunk_rows=20_000).requests
    assert destination.rows == api.truth()
    assert asked + rest <= TICKETS / 100 + 4 * len(windows)


def test_window_that_holds_too_much_is_divided(api: Api) -> None:
    """Where nearly all rows were created within an hour, the readers divide that hour."""
    world = api.server.world
    rows = world.rows("tickets")
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for place, row in enumerate(rows[1_000:]):
        world.put("tickets", row | {"created_at": (begin + timedelta(seconds=place / 2)).isoformat()})
    destination = Destination()
    meter = api.sync(destination, chunk_rows=20_000)
    assert destination.rows == api.truth()
    within = [start for start in listings(api) if start and datetime.fromisoformat(start) > begin]
    assert len(within) >= WORKERS - 1
    assert meter.requests <= TICKETS / 100 + 4 + 2 * len(listings(api))


@pytest.mark.parametrize(
    "switches",
    [
        {"ignored_filters": {"tickets": {"created_after"}}},
        {"ignored_filters": {"tickets": {"*"}}},
        {"total_count_unfiltered": True},
        {"total_count": False},
    ],
    ids=str,
)
def test_api_that_heeds_no_windows_is_read_by_one(api: Api, switches: dict[str, Any]) -> None:
    """Found out by a page a reader, after which one goes on where the first was."""
    api.server.switches.update(switches)
    destination = Destination()
    meter = api.sync(destination, chunk_rows=2_000)
    assert destination.rows == api.truth()
    if switches != {"ignored_filters": {"tickets": {"*"}}}:
        assert meter.requests <= TICKETS / 100 + 2 + 3 * WORKERS


@pytest.mark.parametrize("end", ["stop", "fault"])
def test_failing_reader_leaves_what_all_have_brought(api: Api, end: str) -> None:
    """What ends one reader ends all, after the pages in hand; the next run reads the rest."""
    destination = Destination()
    pages: list[None] = []

    def strike() -> None:
        pages.append(None)
        if len(pages) == 30:
            if end == "stop":
                raise Stopped(15)
            api.server.switches.away = True

    with pytest.raises(CognyError):
        list(api.read(destination, chunk_rows=20_000, after_page=strike))
    assert 2_500 < len(destination.rows) < TICKETS
    api.server.switches.away = False
    api.sync(destination)
    assert destination.rows == api.truth()


class Spoiled:
    """The API, while it lists one row without its key.

    Args:
        client: Reads the answers.
        key: The row's key.
    """

    def __init__(self, client: Getter, key: str) -> None:
        """Begin with the row spoiled."""
        self._client = client
        self._key = key

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """Read one answer."""
        answer = self._client.get(path, params, meter, scope=scope)
        for row in answer.data:
            if row["id"] == self._key:
                del row["id"]
        return answer


@pytest.mark.parametrize("workers", [1, WORKERS])
@pytest.mark.parametrize("place", [450, 1_200, 3_333, 5_990])
def test_a_page_that_cannot_be_taken_in_is_read_again(api: Api, workers: int, place: int) -> None:
    """A row without a key ends the run; once the API has mended it, none of its neighbours is missing."""
    destination = Destination()
    client, api.workers = api.client, workers
    api.client = Spoiled(client, api.server.world.rows("tickets")[place]["id"])  # type: ignore[assignment]
    with pytest.raises(ContractError, match="no key"):
        api.sync(destination, chunk_rows=1_000)
    api.client = client
    api.sync(destination, chunk_rows=1_000)
    assert destination.rows == api.truth()
