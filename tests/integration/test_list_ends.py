"""Lists that end too early, or that count and list differently while they move: nothing is lost for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cogny_source.sandbox import SandboxServer, World
from tests.support.harness import Api, Destination


@pytest.fixture
def api() -> Iterator[Api]:
    """1,500 tickets."""
    with SandboxServer(World(seed=5, tickets=1500, ties=0.2)) as server:
        yield Api(server)


def at_page(page: int, act: Callable[[], Any]) -> Callable[[], None]:
    """What is called after each page, and acts after one of them."""
    pages: list[None] = []

    def after_page() -> None:
        pages.append(None)
        if len(pages) == page:
            act()

    return after_page


def listed(api: Api, destination: Destination) -> dict[str, Any]:
    """The destination's rows that the API still lists."""
    truth = api.truth()
    return {key: version for key, version in destination.rows.items() if key in truth}


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("page", [1, 7, 14])
def test_first_load_goes_on_where_the_cursors_row_is_deleted(api: Api, page: int, *, counted: bool) -> None:
    """The cursor names a row that is gone, and the API says that nothing follows: the newest row tells otherwise."""
    api.server.switches.cursor_kind, api.server.switches.total_count = "row", counted
    destination = Destination()
    last = api.server.world.rows("tickets")[page * 100 - 1]["id"]
    for _ in api.read(destination, after_page=at_page(page, lambda: api.server.world.delete("tickets", last))):
        pass
    assert listed(api, destination) == api.truth()


@pytest.mark.parametrize("counted", [True, False])
def test_changes_go_on_where_the_cursors_row_changes(api: Api, *, counted: bool) -> None:
    """The cursor's row moves to the end of the list of changes, behind which nothing is."""
    api.server.switches.cursor_kind, api.server.switches.total_count = "row", counted
    world, destination = api.server.world, Destination()
    api.sync(destination)
    keys = [row["id"] for row in world.rows("tickets")][:1000]
    for key in keys:
        world.patch("tickets", key, notes="changed")
    act = at_page(2, lambda: world.patch("tickets", keys[199], notes="again"))
    for _ in api.read(destination, after_page=act):
        pass
    assert destination.rows == api.truth()


def test_list_that_ends_in_good_time_costs_one_request_more(api: Api) -> None:
    """Where nothing is counted, the newest row is asked for once, by the proof of the order or at the end."""
    api.server.switches.total_count = False
    assert api.sync(Destination(), chunk_rows=20_000).requests == 15 + 2


def test_changes_on_every_page_leave_nothing_stale(api: Api) -> None:
    """Place-counting cursors while rows change on each page: once it rests, the next sync has every version."""
    api.server.switches.cursor_kind = "offset"
    world, destination = api.server.world, Destination()
    api.sync(destination)
    for key in [row["id"] for row in world.rows("tickets")][:900]:
        world.patch("tickets", key, notes="changed")
    api.server.switches.churn_per_page = 20
    for _ in range(3):
        api.sync(destination, chunk_rows=20_000)
    api.server.switches.churn_per_page = 0
    api.sync(destination, chunk_rows=20_000)
    assert destination.rows == api.truth()


def test_rows_of_one_time_that_change_places_are_all_read(api: Api) -> None:
    """Cursors by place over rows in no fixed order within a timestamp: the watermark moves all the same."""
    world, destination = api.server.world, Destination()
    rows = world.rows("tickets")
    for place, row in enumerate(rows):
        world.put("tickets", {**row, "updated_at": rows[place - place % 130]["updated_at"]})
    api.server.switches.cursor_kind = "offset"
    api.server.switches.shuffled_ties = True
    api.sync(destination, chunk_rows=20_000)
    assert destination.rows == api.truth()
    before = destination.state["updated_after"]
    api.sync(destination, chunk_rows=20_000)
    assert destination.state["updated_after"] > before
