"""A simulated account and its API, written from the API's contract alone; its rows are the truth of a simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from tests.simulation.model import PREFIXES, RESOURCES, TEXTS

Row = dict[str, Any]
Rows = dict[str, Row]
# Resource and key to a row's versions, by `updated_at`.
Versions = dict[tuple[str, str], dict[str | None, list[Row]]]
Order = Literal["heeded", "oldest_first", "newest_first", "least_recently_updated_first", "recently_updated_first"]
BORN = datetime(2025, 3, 1, 12, tzinfo=UTC)
DATED = ("tickets", "reports")
STEMS = ("created", "updated")
ALL_FILTERS = frozenset(f"{stem}_{side}" for stem in STEMS for side in ("after", "before"))


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
        single_rows: What comes of a request for a row: the row, nothing at all, a refusal, or rows that are gone too.
        refuses_newest: Whether a list from the newest row on is refused.
        requests_per_minute: The rate limit that it announces; None for none.
        spare: How many requests it says that are left; None if it does not say.
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
    single_rows: Literal["right", "none", "refused", "kept"] = "right"
    refuses_newest: bool = False
    requests_per_minute: float | None = 1000.0
    spare: int | None = None
    lag_seconds: float = 0.0
    lag_every: int = 1
    lag_requests: int = 0
    clock: Literal["meta", "date"] | None = "meta"
    clock_offset_seconds: float = 0.0
    tick_seconds: float = 0.05


@dataclass(frozen=True)
class Moment:
    """The rows of an account at one moment; see `World`."""

    now: datetime
    changes: int
    numbers: dict[str, int]
    rows: dict[str, Rows]
    slipped: dict[str, frozenset[str]]
    changed_at: dict[tuple[str, str], datetime]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Equal for accounts that go on alike."""
        return (
            self.now,
            self.changes,
            *self.numbers.values(),
            *(identify(table.values()) for table in self.rows.values()),
            *self.slipped.values(),
            *self.changed_at.items(),
        )


def identify(rows: Iterable[Row]) -> tuple[Any, ...]:
    """What tells rows from others of the same world."""
    texts = list(TEXTS.values())
    return tuple((row["id"], row.get("created_at"), row.get("updated_at"), *map(row.get, texts)) for row in rows)


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
        self.changed_at: dict[tuple[str, str], datetime] = {}
        self.ahead_seconds = 0.0
        self.ignored = habits.ignored
        self.revived: dict[str, set[str]] = {name: set() for name in RESOURCES}
        # Rows that stood before the place where a list went on, and were not on the pages before.
        self.slipped: dict[str, frozenset[str]] = dict.fromkeys(RESOURCES, frozenset())
        self._numbers = dict.fromkeys(RESOURCES, 0)
        self._moment: Moment | None = None
        for name, days in births.items():
            for created, updated in days:
                self._put(name, self._make(name, BORN - timedelta(days=created), BORN - timedelta(days=updated)))
        # What a copy that lags shows: the tables since an instant.
        self._log: list[tuple[datetime, dict[str, Rows]]] = [(datetime.min.replace(tzinfo=UTC), self._copy())]

        self._recent: list[tuple[int, dict[str, Rows]]] = [(-1, self._copy())]
        # What a backup holds: the rows after each change.
        self._past = [self._copy()]

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
            self._bury(name, keys[place % len(keys)])
            self._note()

    def delete_many(self, name: str, place: int) -> None:
        """Take each second row away, from a place on."""
        for key in list(self.rows[name])[place % 2 :: 2]:
            self._bury(name, key)
        self._note()

    def _bury(self, name: str, key: str) -> None:
        self.graveyard[name].append(self.rows[name].pop(key))
        self.changed_at[name, key] = self.now

    def restore(self, changes: int) -> None:
        """Put a backup back that lacks the last changes."""
        before = self.rows
        self.rows = {name: dict(rows) for name, rows in self._past[-2 - changes % 4 :][0].items()}
        for name in RESOURCES:
            for key in before[name].keys() | self.rows[name].keys():
                if before[name].get(key) != self.rows[name].get(key):
                    self.changed_at[name, key] = self.now
                    self.revived[name] |= {key} & self.rows[name].keys()
            self.graveyard[name] = [row for row in self.graveyard[name] if row["id"] not in self.rows[name]]
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

    def keep(self) -> Moment:
        """The rows now; a later change leaves them as they are."""
        if self._moment is None or self._moment.now != self.now:
            rows = self._copy() if self._moment is None else self._moment.rows
            facts = dict(self._numbers), rows, dict(self.slipped), dict(self.changed_at)
            self._moment = Moment(self.now, self.changes, *facts)
        return self._moment

    def put(self, moment: Moment) -> None:
        """Go on from another moment; of rows that came back nothing is known."""
        self.now, self.changes, self._numbers = moment.now, moment.changes, dict(moment.numbers)
        self.rows = {name: dict(rows) for name, rows in moment.rows.items()}
        self.slipped, self.changed_at = dict(moment.slipped), dict(moment.changed_at)
        self._moment = moment

    def note_slips(self, name: str, keys: set[str]) -> None:
        """Rows stand before the place where a list went on, and were not on its pages before."""
        if not keys <= self.slipped[name]:
            self.slipped[name] |= keys
            self._moment = None

    def begin_run(self, ahead_seconds: float = 0.0) -> None:
        """A copy that lags by requests is up to date again, filters and clock are as usual."""
        self.ignored, self.ahead_seconds = self.habits.ignored, ahead_seconds
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
        self.changed_at[name, row["id"]] = self.now
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
        self._moment = None
        self._past.append(self._copy())
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
    def clock_offset_seconds(self) -> float:
        """How far the told time is ahead now."""
        return self.habits.clock_offset_seconds + self.ahead_seconds

    @property
    def told_time(self) -> datetime | None:
        """The server's clock, as an answer tells it."""
        told = self.now + timedelta(seconds=self.clock_offset_seconds)
        if self.habits.clock is None:
            return None
        return told if self.habits.clock == "meta" else told.replace(microsecond=0)


def stamp(instant: datetime | None) -> str | None:
    """A timestamp as the API writes it."""
    return None if instant is None else instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
