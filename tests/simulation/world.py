"""A simulated account and its API, written from the API's contract alone; its rows are the truth of a simulation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import BadRequest, NotFound
from tests.simulation.model import PREFIXES, RESOURCES, TEXTS

Row = dict[str, Any]
Rows = dict[str, Row]
# Resource and key to a row's versions, by `updated_at`.
Versions = dict[tuple[str, str], dict[str | None, list[Row]]]
Order = Literal["heeded", "oldest_first", "newest_first", "least_recently_updated_first", "recently_updated_first"]
BORN = datetime(2025, 3, 1, 12, tzinfo=UTC)
DATED = ("tickets", "reports")
STEMS = ("created", "updated")
SORTS = {
    "oldest_first": ("created_at", False),
    "newest_first": ("created_at", True),
    "least_recently_updated_first": ("updated_at", False),
    "recently_updated_first": ("updated_at", True),
}
# A clock that differs by more is doubted.
DOUBTFUL_SECONDS = 300.0


@dataclass(frozen=True)
class Habits:
    """What the API does all the while, within its contract.

    Attributes:
        order: The order of lists: as asked for, or always the same.
        ignored: Filters that lists ignore.
        inclusive: Whether the bounds of filters are inclusive.
        cursors: What a cursor holds: the last row's place in the order, how many rows were shown, or the last row's id.
        lifetime_pages: After how many pages a cursor expires; None for never.
        count: What `total_count` counts; None if it is missing.
        surplus: How many rows it counts beyond those that are listed.
        page_rows: The most rows of a page.
        whole: Resources whose lists come without pagination.
        single_rows: Whether a row can be requested by its id.
        lag_seconds: How old the copy is from which lists come.
        lag_every: Only each n-th answer comes from that copy.
        lag_requests: How many requests old that copy is instead; it is up to date when a run begins.
        clock: What tells the time: the envelope, a header to the second, or nothing.
        clock_offset_seconds: How far the told time is ahead.
        tick_seconds: How long a request takes.
    """

    order: Order = "heeded"
    ignored: frozenset[str] = frozenset()
    inclusive: bool = False
    cursors: Literal["place", "count", "row"] = "place"
    lifetime_pages: int | None = None
    count: Literal["filtered", "all"] | None = "filtered"
    surplus: int = 0
    page_rows: int = 2
    whole: frozenset[str] = frozenset({"warehouses"})
    single_rows: bool = True
    lag_seconds: float = 0.0
    lag_every: int = 1
    lag_requests: int = 0
    clock: Literal["meta", "date"] | None = "meta"
    clock_offset_seconds: float = 0.0
    tick_seconds: float = 0.05


class World:
    """The rows of an account, all their versions, and the clock they live by.

    Args:
        births: How many rows each resource has at the beginning, and how many days ago each was created and changed.
        step: Called before each answer; may change the world or raise.
    """

    def __init__(self, habits: Habits, births: Mapping[str, tuple[tuple[float, float], ...]]) -> None:
        self.habits = habits
        self.now = BORN
        self.changes = 0
        self.requests = 0
        self.rows: dict[str, Rows] = {name: {} for name in RESOURCES}
        self.versions: Versions = {}
        self.graveyard: dict[str, list[Row]] = {name: [] for name in RESOURCES}
        self.revived: dict[str, set[str]] = {name: set() for name in RESOURCES}
        self._numbers = dict.fromkeys(RESOURCES, 0)
        for name, days in births.items():
            for created, updated in days:
                self._put(name, self._make(name, BORN - timedelta(days=created), BORN - timedelta(days=updated)))
        # What a copy that lags shows: the tables since an instant.
        self._log: list[tuple[datetime, dict[str, Rows]]] = [(datetime.min.replace(tzinfo=UTC), self._copy())]

        self._recent: list[tuple[int, dict[str, Rows]]] = [(-1, self._copy())]

    # What people do.

    def change(self, name: str, place: int, *, ties: bool = False) -> None:
        """Change the row at a place in the order of creation, at this instant or, with `ties`, at that of another."""
        keys = list(self.rows[name])
        if keys:
            row = self.rows[name][keys[place % len(keys)]]
            self._put(name, self._alter(name, row, self._stamp(ties=ties)))
            self._note()

    def create(self, name: str, *, ties: bool = False) -> None:
        """Add a row."""
        stamp = self._stamp(ties=ties)
        self._put(name, self._make(name, stamp, stamp))
        self._note()

    def delete(self, name: str, place: int) -> None:
        """Take the row at a place away."""
        keys = list(self.rows[name])
        if keys:
            self.graveyard[name].append(self.rows[name].pop(keys[place % len(keys)]))
            self._note()

    def revive(self, name: str, *, changed: bool) -> None:
        """Bring the row back that vanished last, as it was or changed."""
        if not self.graveyard[name]:
            return
        row = self.graveyard[name].pop()
        if changed:
            row = self._alter(name, row, self._stamp())
        else:
            self.revived[name].add(row["id"])
        self._put(name, row)
        self.rows[name] = dict(
            sorted(self.rows[name].items(), key=lambda item: (item[1].get("created_at", ""), item[0]))
        )
        self._note()

    def alter_silently(self, name: str, place: int) -> None:
        """Change a row without a change of `updated_at`."""
        keys = list(self.rows[name])
        if keys:
            row = self.rows[name][keys[place % len(keys)]]
            self.revived[name].add(row["id"])
            self._put(name, self._alter(name, row, None))
            self._note()

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += timedelta(seconds=seconds)

    def begin_run(self) -> None:
        """A copy that lags by requests is up to date again."""
        if self.habits.lag_requests:
            self._recent = [(-1, self._copy())]

    def version(self, name: str, key: str, updated_at: datetime | None) -> list[Row]:
        """The versions of a row with one `updated_at`."""
        return self.versions.get((name, key), {}).get(stamp(updated_at), [])

    def all_versions(self, name: str, key: str) -> list[Row]:
        """All versions of a row."""
        return [row for rows in self.versions.get((name, key), {}).values() for row in rows]

    def _make(self, name: str, created: datetime, updated: datetime) -> Row:
        self._numbers[name] += 1
        number = self._numbers[name]
        row: Row = {"id": f"{PREFIXES[name]}_{number:03d}", TEXTS[name]: "v0"}
        if name in DATED:
            row |= {"created_at": stamp(created), "updated_at": stamp(updated)}
        if name == "tickets":
            row["action_items"] = [f"item {place}" for place in range(number % 3)]
        return row

    def _alter(self, name: str, row: Row, updated: datetime | None) -> Row:
        self.changes += 1
        row = row | {TEXTS[name]: f"v{self.changes}"}
        if updated is not None and name in DATED:
            row["updated_at"] = stamp(updated)
        if name == "tickets":
            row["action_items"] = [f"item {self.changes}.{place}" for place in range(self.changes % 3)]
        return row

    def _put(self, name: str, row: Row) -> None:
        self.rows[name][row["id"]] = row
        alike = self.versions.setdefault((name, row["id"]), {}).setdefault(row.get("updated_at"), [])
        if row not in alike:
            alike.append(row)

    def _stamp(self, *, ties: bool = False) -> datetime:
        """The instant of a change: later than any time that was told, or equal to that of the change before it."""
        if not ties:
            self.now += timedelta(microseconds=1)
        return self.now

    def _copy(self) -> dict[str, Rows]:
        return {name: dict(rows) for name, rows in self.rows.items()}

    def _note(self) -> None:
        if self.habits.lag_seconds:
            self._log.append((self.now, self._copy()))
        if self.habits.lag_requests:
            self._recent.append((self.requests, self._copy()))

    # What the API shows.

    def shown(self) -> dict[str, Rows]:
        """The rows that the next answer shows."""
        habits = self.habits
        if habits.lag_requests:
            known = self.requests - habits.lag_requests
            return next((rows for since, rows in reversed(self._recent) if since <= known), self._recent[0][1])
        if not habits.lag_seconds or self.requests % habits.lag_every:
            return self.rows
        then = self.now - timedelta(seconds=habits.lag_seconds)
        return next(rows for since, rows in reversed(self._log) if since <= then)

    @property
    def told_time(self) -> datetime | None:
        """The server's clock, as an answer tells it."""
        told = self.now + timedelta(seconds=self.habits.clock_offset_seconds)
        if self.habits.clock is None:
            return None
        return told if self.habits.clock == "meta" else told.replace(microsecond=0)


class Api:
    """Answers requests as the API does, in place of an HTTP client.

    Args:
        world: The account.
        step: Called before each answer; may change the world, or raise an error in place of the answer.
    """

    def __init__(self, world: World, step: Callable[[], None]) -> None:
        self._world = world
        self._step = step
        self.limiter = Unlimited()
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
        told, doubtful = world.told_time, abs(world.habits.clock_offset_seconds) > DOUBTFUL_SECONDS
        if key:
            row = world.rows[name].get(key) if world.habits.single_rows else None
            if row is None:
                raise NotFound("there is no such row", status=404, path=path)
            return Answer(row, None, told, None, doubtful, confirmed=True)
        rows, pagination = _list(world.shown()[name], name, params, world.habits)
        return Answer(rows, pagination, told, None, doubtful, confirmed=True)


@dataclass(frozen=True)
class Unlimited:
    """A rate limit that is never reached; the scrub counts with it."""

    requests_per_minute: float | None = 1000.0
    spare: int | None = None
    remaining: int | None = None


def stamp(instant: datetime | None) -> str | None:
    """A timestamp as the API writes it."""
    return None if instant is None else instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _list(rows: Rows, name: str, params: Mapping[str, str | int], habits: Habits) -> tuple[list[Row], Any]:
    cursor: dict[str, Any] | None = None
    if "cursor" in params:
        cursor = json.loads(str(params["cursor"]))
        if habits.lifetime_pages is not None and cursor["page"] > habits.lifetime_pages:
            raise BadRequest("cursor expired", status=400, path=f"/{name}")
    field, descending = _read_sort(str(params.get("sort", "created_at")), name, habits)
    bounds = _read_bounds(params, habits)
    chosen = [row for row in rows.values() if _passes(row, bounds, inclusive=habits.inclusive)]
    chosen.sort(key=lambda row: (row.get(field) or "", row["id"]), reverse=descending)
    if name in habits.whole:
        return chosen, None
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
    return page, pagination


def _read_sort(text: str, name: str, habits: Habits) -> tuple[str, bool]:
    if name not in DATED:
        return "id", False
    if habits.order != "heeded":
        return SORTS[habits.order]
    return text.removeprefix("-"), text.startswith("-")


def _read_bounds(params: Mapping[str, str | int], habits: Habits) -> list[tuple[str, str, bool]]:
    """The filters that a list heeds: the field, the bound, and whether it is the lower one."""
    names = {f"{stem}_{side}": (f"{stem}_at", side == "after") for stem in STEMS for side in ("after", "before")}
    heeded = {name: names[name] for name in params.keys() & names.keys() if name not in habits.ignored}
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
