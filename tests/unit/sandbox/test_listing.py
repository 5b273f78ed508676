"""Lists: filters, sorts, bounds and cursors, compared with a plain reading of the truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.sandbox import Switches, World
from cogny_source.sandbox.api import Api, Request
from cogny_source.sandbox.data import CATEGORIES, PRIORITIES, REPORT_STATUSES, TICKET_STATUSES
from cogny_source.sandbox.instants import parse_instant
from cogny_source.sandbox.listing import Cursor

MOST_PAGES = 80
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
KEY = {"x-api-key": "sk_test_sandbox"}
STATUS_RANKS = {name: rank for rank, name in enumerate(dict.fromkeys(TICKET_STATUSES + REPORT_STATUSES))}
SHARED = Api(World(seed=11, tickets=300, reports=60, now=NOW, ties=0.6))

Row = dict[str, Any]


@pytest.fixture
def api(world: World) -> Api:
    """An API without a socket."""
    return Api(world)


def ask(api: Api, resource: str, **params: object) -> dict[str, Any]:
    """The JSON of a list."""
    texts = {name: str(value) for name, value in params.items()}
    body: dict[str, Any] = orjson.loads(api.answer(Request("GET", f"/v1/{resource}", texts, KEY)).body)
    return body


def read_pages(api: Api, resource: str, **params: object) -> list[list[Row]]:
    """The pages of a list to its end."""
    pages: list[list[Row]] = []
    while len(pages) < MOST_PAGES:
        body = ask(api, resource, **params)
        pages.append(body["data"])
        if not body["pagination"]["has_more"]:
            break
        params["cursor"] = body["pagination"]["next_cursor"]
    return pages


def read_all(api: Api, resource: str, **params: object) -> list[Row]:
    """The rows of a list to its end."""
    return [row for page in read_pages(api, resource, **params) for row in page]


def ids(rows: list[Row]) -> list[str]:
    """The ids of rows."""
    return [row["id"] for row in rows]


def sort_key(field: str) -> Callable[[Row], tuple[int, str]]:
    """How the truth is put in order."""
    ranks = {"priority": {name: rank for rank, name in enumerate(PRIORITIES)}, "status": STATUS_RANKS}
    if field in ranks:
        return lambda row: (ranks[field].get(row.get(field, ""), -1), row["id"])
    return lambda row: (parse_instant(row[field]), row["id"])


BOUNDS = ("created_after", "created_before", "updated_after", "updated_before")


def expected(rows: list[Row], params: dict[str, Any], inclusive: bool) -> list[str]:
    """The ids that a list must show, by a plain reading of its rules."""

    def shown(row: Row) -> bool:
        for name, value in params.items():
            if name in BOUNDS:
                bound, instant = parse_instant(value), parse_instant(row[name.split("_")[0] + "_at"])
                if not (
                    (inclusive and instant == bound) or ((instant > bound) == ("after" in name) and instant != bound)
                ):
                    return False
            elif name not in ("sort", "limit") and row.get(name) != value:
                return False
        return True

    sort = params.get("sort", "created_at")
    chosen = sorted(filter(shown, rows), key=sort_key(sort.removeprefix("-")), reverse=sort.startswith("-"))
    return ids(chosen)


stamps = st.sampled_from([row[field] for row in SHARED.world.rows("tickets") for field in ("created_at", "updated_at")])
sorts = st.sampled_from([sign + field for sign in ("", "-") for field in ("created_at", "updated_at", "status")])
common = dict.fromkeys(BOUNDS, stamps) | {"sort": sorts, "limit": st.integers(5, 100)}
places = st.sampled_from(ids(SHARED.world.rows("warehouses")))
tickets = st.fixed_dictionaries(
    {},
    optional=common
    | {
        "warehouse_id": places,
        "status": st.sampled_from(TICKET_STATUSES),
        "priority": st.sampled_from(PRIORITIES),
        "category": st.sampled_from(CATEGORIES),
        "sort": st.one_of(sorts, st.sampled_from(["priority", "-priority"])),
    },
)
reports = st.fixed_dictionaries(
    {}, optional=common | {"warehouse_id": places, "status": st.sampled_from(REPORT_STATUSES)}
)


@given(st.one_of(st.tuples(st.just("tickets"), tickets), st.tuples(st.just("reports"), reports)), st.booleans())
def test_any_list_shows_what_its_parameters_ask_for(query: tuple[str, dict[str, Any]], inclusive: bool) -> None:
    """Every mix of filters, sort and limit gives the rows, the order and the total of a plain reading."""
    resource, params = query
    for kind in ("keyset", "offset"):
        SHARED.switches = Switches(inclusive_bounds=inclusive, cursor_kind=kind)
        want = expected(SHARED.world.rows(resource), params, inclusive)
        assert ids(read_all(SHARED, resource, **params)) == want
        assert ask(SHARED, resource, **params)["pagination"]["total_count"] == len(want)


def test_limits_cut_pages(api: Api) -> None:
    """A page holds 25 rows unless told; the last holds the rest and no cursor."""
    assert [len(page) for page in read_pages(api, "tickets")] == [25] * 10
    assert [len(page) for page in read_pages(api, "tickets", limit=100)] == [100, 100, 50]
    last = ask(api, "tickets", status="nonsense")
    assert (last["data"], last["pagination"]) == ([], {"has_more": False, "next_cursor": None, "total_count": 0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", ""),
        ("limit", "²"),
        ("created_after", "yesterday"),
        ("created_before", ""),
        ("updated_after", "2025-02-30"),
        ("updated_before", "2025-01-01T00:00:00 00:00"),
        ("sort", "colour"),
        ("sort", "--updated_at"),
        ("cursor", ""),
        ("cursor", "!!!"),
        ("cursor", "bm90IGpzb24"),
        ("cursor", "W10"),
        ("cursor", Cursor("reports", "offset", {}, 25, 1).encode()),
    ],
)
def test_nonsense_is_invalid(api: Api, name: str, value: str) -> None:
    """A value that makes no sense answers 400 and names its parameter."""
    answer = api.answer(Request("GET", "/v1/tickets", {name: value}, KEY))
    error = orjson.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["details"]) == (400, "INVALID_PARAMETER", {"parameter": name})


def test_reports_come_in_creation_order_under_an_unknown_sort(api: Api) -> None:
    """Reports do not document sort, and do not refuse one."""
    assert read_all(api, "reports", sort="colour") == api.world.rows("reports")


def test_unknown_parameters_go_unnoticed(api: Api) -> None:
    """Neither an unknown parameter nor a ticket filter on reports changes a list."""
    assert read_all(api, "reports", category="retention", colour="red") == api.world.rows("reports")


def test_warehouses_come_whole(api: Api) -> None:
    """Warehouses know no filter, no sort, no limit and no pagination."""
    body = ask(api, "warehouses", status="error", sort="-created_at", limit=1)
    assert list(body) == ["success", "data", "meta"]
    assert body["data"] == api.world.rows("warehouses")


def test_warehouses_can_be_made_to_behave(api: Api) -> None:
    """Filters and pages of warehouses are a matter of switches."""
    api.switches.update({"ignored_filters": {"warehouses": []}, "pagination_omitted": []})
    rows = api.world.rows("warehouses")
    assert read_all(api, "warehouses", limit=5) == rows
    connected = [row for row in rows if row["status"] == "connected"]
    assert read_all(api, "warehouses", status="connected") == connected


def test_same_instant_in_another_form_is_the_same_bound(api: Api) -> None:
    """Bounds compare instants, not texts."""
    api.world.put("tickets", api.world.rows("tickets")[0] | {"id": "tkt_x", "updated_at": "2025-06-02T00:00:00.000Z"})
    for form in ("2025-06-02T00:00:00Z", "2025-06-02T01:00:00+01:00", "2025-06-02"):
        assert ids(read_all(api, "tickets", updated_after=form)) == []
    assert ids(read_all(api, "tickets", updated_after="2025-06-01T23:59:59.999999+00:00")) == ["tkt_x"]


def test_a_cursor_carries_its_listing(api: Api) -> None:
    """A cursor goes on with the parameters of its listing when they are left out, and at another limit."""
    first = ask(api, "tickets", status="open", sort="-updated_at", limit=10)
    second = ask(api, "tickets", cursor=first["pagination"]["next_cursor"], limit=5)
    whole = read_all(api, "tickets", status="open", sort="-updated_at")
    assert ids(second["data"]) == ids(whole[10:15])


def test_a_cursor_of_another_listing_is_invalid(api: Api) -> None:
    """A cursor cannot go on with other parameters."""
    cursor = ask(api, "tickets", status="open")["pagination"]["next_cursor"]
    assert ask(api, "tickets", status="completed", cursor=cursor)["error"]["message"].endswith("another listing")


def test_changed_rows_move_behind_a_keyset_reader(api: Api) -> None:
    """Under sort=updated_at a row that changes after it was read comes again, at the end."""
    first = ask(api, "tickets", sort="updated_at", limit=100)
    changed = api.world.patch("tickets", first["data"][0]["id"], notes="again")
    rest = read_all(api, "tickets", sort="updated_at", limit=100, cursor=first["pagination"]["next_cursor"])
    assert rest[-1] == changed
    assert len(rest) == 151


def test_changed_rows_shift_an_offset_reader(api: Api) -> None:
    """Under offset cursors a row read before that moves to the end makes the reader miss one."""
    api.switches.cursor_kind = "offset"
    first = ask(api, "tickets", sort="updated_at", limit=100)
    missed = ids(read_all(api, "tickets", sort="updated_at", limit=100))[100]
    api.world.patch("tickets", first["data"][0]["id"], notes="again")
    rest = read_all(api, "tickets", sort="updated_at", limit=100, cursor=first["pagination"]["next_cursor"])
    assert missed not in ids(first["data"] + rest)


def test_deleted_rows_stop_being_listed(api: Api) -> None:
    """A keyset cursor outlives the row it points at, and the total falls."""
    first = ask(api, "tickets", limit=10)
    whole = read_all(api, "tickets")
    api.world.delete("tickets", first["data"][-1]["id"])
    second = ask(api, "tickets", limit=10, cursor=first["pagination"]["next_cursor"])
    assert second["data"] == whole[10:20]
    assert second["pagination"]["total_count"] == 249


def test_filtered_lists_follow_changes(api: Api) -> None:
    """A filtered list read before shows what has changed since."""
    opened = ids(read_all(api, "tickets", status="open"))
    api.world.patch("tickets", opened[0], status="completed")
    assert ids(read_all(api, "tickets", status="open")) == opened[1:]
    api.world.patch("tickets", opened[0], status="open")
    assert ids(read_all(api, "tickets", status="open")) == opened


def test_many_windows_are_kept_apart(api: Api) -> None:
    """A hundred windows, more than the table remembers, show every row once."""
    days = [NOW - timedelta(days=365) + timedelta(days=3.65) * step for step in range(101)]
    api.switches.inclusive_bounds = True
    seen: list[str] = []
    for start, end in pairwise(days):
        last = end - timedelta(microseconds=1)
        seen += ids(read_all(api, "tickets", created_after=start.isoformat(), created_before=last.isoformat()))
    assert seen == ids(api.world.rows("tickets"))
