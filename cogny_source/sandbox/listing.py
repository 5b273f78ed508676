"""Listings: what the parameters of a list ask for, its cursors, and the page they lead to."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import orjson

from cogny_source.sandbox.answers import invalid
from cogny_source.sandbox.instants import parse_instant
from cogny_source.sandbox.switches import Switches
from cogny_source.sandbox.table import SORT_FIELDS, TIME_FIELDS, Key, Selection, Span, Table

DEFAULT_LIMIT = 25
MAX_LIMIT = 100

_BOUNDS = tuple(f"{field.removesuffix('_at')}_{side}" for field in TIME_FIELDS for side in ("after", "before"))
FILTERS = {
    "tickets": ("warehouse_id", "status", "priority", "category", *_BOUNDS),
    "reports": ("warehouse_id", "status", *_BOUNDS),
    "warehouses": ("status", *_BOUNDS),
}

# Field, and whether it descends.
_FORCED_SORTS = {
    "oldest_first": ("created_at", False),
    "newest_first": ("created_at", True),
    "least_recently_updated_first": ("updated_at", False),
    "recently_updated_first": ("updated_at", True),
}


@dataclass(frozen=True)
class Cursor:
    """Where a listing continues.

    Attributes:
        resource: The resource that it lists.
        kind: `keyset`, `offset`, `row` or `endless`.
        asked: The parameters of the listing it belongs to.
        place: The key of the last row shown, its id alone, or how many rows were shown.
        page: How many pages came before.
    """

    resource: str
    kind: str
    asked: dict[str, str]
    place: Key | str | int
    page: int

    def encode(self) -> str:
        """The opaque text that stands for the cursor."""
        content = orjson.dumps([self.resource, self.kind, self.asked, self.place, self.page])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read an opaque text.

        Raises:
            ApiError: If no listing ever returned such a cursor.
        """
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            resource, kind, asked, place, page = orjson.loads(content)
            asked = {str(name): str(value) for name, value in asked.items()}
            return cls(resource, kind, asked, _read_place(kind, place), int(page))
        except (binascii.Error, ValueError, TypeError, AttributeError, LookupError) as exc:
            raise invalid("cursor", "cursor is invalid") from exc


def _read_place(kind: str, place: Any) -> Key | str | int:
    if kind == "keyset":
        return int(place[0]), str(place[1])
    return str(place) if kind == "row" else max(0, int(place))


@dataclass(frozen=True)
class Query:
    """The parameters of a listing."""

    resource: str
    asked: dict[str, str]
    selection: Selection
    field: str
    descending: bool
    limit: int
    cursor: Cursor | None


@dataclass(frozen=True)
class Page:
    """The ids of the rows shown, and the pagination object, if there is one."""

    ids: list[str]
    pagination: dict[str, Any] | None


def parse_query(resource: str, params: Mapping[str, str], switches: Switches) -> Query:
    """Read the parameters of a list; unknown and ignored ones have no effect.

    Raises:
        ApiError: 400 INVALID_PARAMETER if a value makes no sense.
    """
    names = [name for name in FILTERS[resource] if not switches.ignores_filter(resource, name)]
    asked = {name: params[name] for name in (*names, "sort") if name in params}
    cursor = None
    if "cursor" in params:
        cursor = Cursor.decode(params["cursor"])
        _check_cursor(cursor, resource, asked, switches)
        asked = cursor.asked
    field, descending = _read_sort(resource, asked, switches)
    selection = _read_selection(asked, switches)
    return Query(resource, asked, selection, field, descending, _read_limit(params), cursor)


def select_page(table: Table, query: Query, switches: Switches, number: int = 0) -> Page:
    """Cut a page from the table for a request of some number; to be called under the world's lock."""
    keys = table.view(query.field, query.selection)
    if switches.shuffled_ties:
        rng = Random(f"{switches.fault_seed}:ties:{number}")
        keys = sorted(keys, key=lambda key: (key[0], rng.random()))
    if query.resource in switches.pagination_omitted:
        return Page(_slice(keys, 0, len(keys), query.descending), None)
    start = 0 if query.cursor is None else _start(keys, query.cursor, query.descending)
    ids = _slice(keys, start, query.limit, query.descending)
    pagination: dict[str, Any] = {"has_more": start + query.limit < len(keys) or (switches.endless and bool(ids))}
    if not pagination["has_more"]:
        pagination["next_cursor"] = None
    elif not switches.missing_cursor:
        last = table.records[ids[-1]].key(query.field)
        pagination["next_cursor"] = _next_cursor(query, start + query.limit, last, switches).encode()
    if switches.repeat_cursor and query.cursor is not None and not switches.missing_cursor:
        pagination |= {"has_more": True, "next_cursor": query.cursor.encode()}
    if switches.total_count:
        counted = len(table if switches.total_count_unfiltered else keys)
        pagination["total_count"] = counted + switches.total_count_surplus
    return Page(ids, pagination)


def _next_cursor(query: Query, shown: int, last: Key, switches: Switches) -> Cursor:
    page = 1 if query.cursor is None else query.cursor.page + 1
    following = Cursor(query.resource, "offset", query.asked, shown, page)
    if switches.endless:
        return replace(following, kind="endless")
    if switches.cursor_kind == "keyset":
        return replace(following, kind="keyset", place=last)
    if switches.cursor_kind == "row":
        return replace(following, kind="row", place=last[1])
    return following


def _start(keys: list[Key], cursor: Cursor, descending: bool) -> int:
    """How many rows of the listing lie before the cursor."""
    if cursor.kind == "endless":
        return 0
    if isinstance(cursor.place, int):
        return cursor.place
    if isinstance(cursor.place, str):
        # A row that is gone, or has moved to the end, has nothing behind it.
        places = [place for place, (_, identity) in enumerate(keys) if identity == cursor.place]
        shown = places[0] + 1 if places else len(keys)
        return len(keys) - shown + 1 if descending and places else shown
    return len(keys) - bisect_left(keys, cursor.place) if descending else bisect_right(keys, cursor.place)


def _slice(keys: list[Key], start: int, limit: int, descending: bool) -> list[str]:
    if not descending:
        return [identity for _, identity in keys[start : start + limit]]
    end = max(0, len(keys) - start)
    return [identity for _, identity in reversed(keys[max(0, end - limit) : end])]


def _check_cursor(cursor: Cursor, resource: str, asked: dict[str, str], switches: Switches) -> None:
    lifetime = switches.cursor_lifetime_pages
    if lifetime is not None and cursor.page > lifetime:
        raise invalid("cursor", "cursor expired")
    if cursor.resource != resource or (asked and asked != cursor.asked):
        raise invalid("cursor", "cursor belongs to another listing")


def _read_sort(resource: str, asked: Mapping[str, str], switches: Switches) -> tuple[str, bool]:
    forced = switches.forced_order(resource)
    if forced is not None:
        return _FORCED_SORTS[forced]
    text = asked.get("sort", "created_at")
    field = text.removeprefix("-")
    if field in SORT_FIELDS:
        return field, text.startswith("-")
    if resource == "tickets":
        raise invalid("sort", f"cannot sort by {field!r}")
    return "created_at", False


def _read_limit(params: Mapping[str, str]) -> int:
    text = params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LIMIT):
        raise invalid("limit", f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _read_selection(asked: Mapping[str, str], switches: Switches) -> Selection:
    equal = tuple((name, value) for name, value in sorted(asked.items()) if name not in _BOUNDS and name != "sort")
    return Selection(equal, _read_span("created", asked, switches), _read_span("updated", asked, switches))


def _read_span(prefix: str, asked: Mapping[str, str], switches: Switches) -> Span:
    margin = 0 if switches.inclusive_bounds else 1
    span = Span()
    if f"{prefix}_after" in asked:
        span = replace(span, first=_read_instant(f"{prefix}_after", asked) + margin)
    if f"{prefix}_before" in asked:
        span = replace(span, last=_read_instant(f"{prefix}_before", asked) - margin)
    return span


def _read_instant(name: str, asked: Mapping[str, str]) -> int:
    try:
        return parse_instant(asked[name])
    except ValueError as exc:
        raise invalid(name, f"{name} is not an ISO 8601 time") from exc
