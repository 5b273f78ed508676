"""The API of a simulated account: lists, cursors, filters and single rows, written from the API's contract alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import BadRequest, Forbidden, NotFound
from tests.simulation.world import DATED, STEMS, Habits, Row, Rows, World

SORTS = {
    "oldest_first": ("created_at", False),
    "newest_first": ("created_at", True),
    "least_recently_updated_first": ("updated_at", False),
    "recently_updated_first": ("updated_at", True),
}
# A clock that differs by more is doubted.
DOUBTFUL_SECONDS = 300.0


class Api:
    """Answers requests as the API does, in place of an HTTP client.

    Args:
        world: The account.
        step: Called before each answer; may change the world, or raise an error in place of the answer.
    """

    def __init__(self, world: World, step: Callable[[], None]) -> None:
        self._world = world
        self._step = step
        self._cursors: list[tuple[str, Any]] = []
        # The rows that a chain of cursors has shown before each of them.
        self._shown: list[set[str]] = []
        self.limiter = Limit(world.habits.requests_per_minute, world.habits.spare)
        self.requests = 0

    def get(
        self,
        path: str,
        params: Mapping[str, str | int],
        meter: Meter,
        *,
        scope: str | None = None,
        patient: bool = True,
    ) -> Answer:
        """Answer one request."""
        world = self._world
        world.pass_time(world.habits.tick_seconds)
        self._step()
        world.requests += 1
        self.requests += 1
        meter.add(requests=1)
        name, _, key = path.removeprefix("/").partition("/")
        told, doubtful = world.told_time, abs(world.clock_offset_seconds) > DOUBTFUL_SECONDS
        if key:
            return Answer(self._find_row(name, key, path), None, told, None, doubtful, confirmed=True)
        cursor, shown, asked = params.get("cursor"), set[str](), params
        if cursor is not None:
            shown, asked = self._shown[int(cursor)], {**params, "cursor": self._cursors[int(cursor)][0]}
        before, rows, pagination = _list(world.shown()[name], name, asked, world.habits, world.ignored)
        if before:
            world.note_slips(name, {row["id"] for row in before} - shown)
        if pagination is not None and pagination["next_cursor"] is not None:
            shown = shown | {row["id"] for row in rows}
            chain = [*((name, value) for name, value in params.items() if name != "cursor"), ("path", path)]
            pagination["next_cursor"] = self._seal((pagination["next_cursor"], chain), shown)
        return Answer(rows, pagination, told, None, doubtful, confirmed=True)

    def _find_row(self, name: str, key: str, path: str) -> Row:
        world, way = self._world, self._world.habits.single_rows
        if way == "refused":
            raise Forbidden("single rows are not for this key", status=403, path=path)
        known = {row["id"]: row for row in world.graveyard[name]} if way == "kept" else {}
        row = None if way == "none" else (known | world.rows[name]).get(key)
        if row is None:
            raise NotFound("there is no such row", status=404, path=path)
        return row

    def _seal(self, cursor: tuple[str, Any], shown: set[str]) -> str:
        """A cursor of a list that tells nothing: its number among those of the run."""
        if cursor not in self._cursors:
            self._cursors.append(cursor)
            self._shown.append(shown)
        number = self._cursors.index(cursor)
        self._shown[number] = shown
        return str(number)


@dataclass(frozen=True)
class Limit:
    """A rate limit that is never reached; readers and the scrub count with it."""

    requests_per_minute: float | None
    spare: int | None
    remaining: int | None = None


def _list(
    rows: Rows, name: str, params: Mapping[str, str | int], habits: Habits, ignored: frozenset[str]
) -> tuple[list[Row], list[Row], Any]:
    """The rows before a page, its rows, and its pagination."""
    cursor: dict[str, Any] | None = None
    if "cursor" in params:
        cursor = json.loads(str(params["cursor"]))
        if habits.lifetime_pages is not None and cursor["page"] > habits.lifetime_pages:
            raise BadRequest("cursor expired", status=400, path=f"/{name}")
    if habits.refuses_newest and str(params.get("sort", "")).startswith("-"):
        raise BadRequest("sort is not known", status=400, path=f"/{name}")
    field, descending = _read_sort(str(params.get("sort", "created_at")), name, habits)
    bounds = _read_bounds(params, ignored)
    chosen = [row for row in rows.values() if _passes(row, bounds, inclusive=habits.inclusive)]
    chosen.sort(key=lambda row: (row.get(field) or "", row["id"]), reverse=descending)
    if name in habits.whole:
        return [], chosen, None
    start = _find_start(chosen, cursor, field, descending=descending)
    limit = min(int(params.get("limit", 25)), habits.page_rows)
    page = chosen[start : start + limit]
    more = start + limit < len(chosen)
    pagination: dict[str, Any] = {"has_more": more, "next_cursor": None}
    if more:
        last = page[-1]
        place = {"place": [last.get(field) or "", last["id"]], "count": start + limit, "row": last["id"]}
        following = {"at": place[habits.cursors], "page": 1 + (cursor["page"] if cursor else 0)}
        pagination["next_cursor"] = json.dumps(following)
    if habits.count is not None:
        pagination["total_count"] = (len(rows) if habits.count == "all" else len(chosen)) + (
            habits.surplus if chosen else 0
        )
    return chosen[:start], page, pagination


def _read_sort(text: str, name: str, habits: Habits) -> tuple[str, bool]:
    if name not in DATED:
        return "id", False
    if habits.order != "heeded":
        return SORTS[habits.order]
    return text.removeprefix("-"), text.startswith("-")


def _read_bounds(params: Mapping[str, str | int], ignored: frozenset[str]) -> list[tuple[str, str, bool]]:
    """The filters that a list heeds: the field, the bound, and whether it is the lower one."""
    names = {f"{stem}_{side}": (f"{stem}_at", side == "after") for stem in STEMS for side in ("after", "before")}
    heeded = {name: names[name] for name in params.keys() & names.keys() if name not in ignored}
    return [(field, str(params[name]), after) for name, (field, after) in heeded.items()]


def _passes(row: Row, bounds: list[tuple[str, str, bool]], *, inclusive: bool) -> bool:
    for field, bound, after in bounds:
        value = row.get(field)
        if value is None:
            continue
        beyond = value > bound if after else value < bound
        if not (beyond or (inclusive and value == bound)):
            return False
    return True


def _find_start(rows: list[Row], cursor: dict[str, Any] | None, field: str, *, descending: bool) -> int:
    """How many rows of a list lie before a cursor."""
    if cursor is None:
        return 0
    at = cursor["at"]
    if isinstance(at, int):
        return at
    if isinstance(at, str):  # behind a row that is gone, nothing follows
        return next((place + 1 for place, row in enumerate(rows) if row["id"] == at), len(rows))
    places = [[row.get(field) or "", row["id"]] for row in rows]
    return sum(place >= at if descending else place <= at for place in places)
