"""What became of tickets, worked out in plain Python from what syncs saw of them; day by day, without SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

CLOSED = ("completed", "dismissed")
UNSEEN = "unseen"
Row = Mapping[str, Any]
# Warehouse, category and priority.
Group = tuple[str | None, str | None, str | None]


@dataclass
class Life:
    """A ticket.

    Attributes:
        created: When it was created.
        versions: The versions that syncs have seen, each with the instant at which it began, the oldest first.
        deleted: When a sync found it gone.
    """

    created: datetime
    versions: list[tuple[datetime, Row]] = field(default_factory=list)
    deleted: datetime | None = None

    @property
    def now(self) -> Row:
        """Its newest version."""
        return self.versions[-1][1]

    @property
    def is_open(self) -> bool:
        """Whether it is neither closed nor deleted."""
        return self.deleted is None and self.now["status"] not in CLOSED

    @property
    def states(self) -> list[tuple[datetime, str, Group]]:
        """When it came into which status and group; before the first version that was seen the status is `unseen`."""
        found = [(began, row["status"], _group(row)) for began, row in self.versions]
        if self.created < found[0][0]:
            found.insert(0, (self.created, UNSEEN, found[0][2]))
        return found

    @property
    def stays(self) -> list[tuple[datetime, str]]:
        """When it came into which status."""
        states = [(began, status) for began, status, _ in self.states]
        return [states[0], *(later for earlier, later in pairwise(states) if earlier[1] != later[1])]

    @property
    def ended(self) -> datetime | None:
        """When it was gone; no earlier than it came into its last status and group."""
        began = [self.states[0], *(new for old, new in pairwise(self.states) if old[1:] != new[1:])][-1][0]
        return None if self.deleted is None else max(self.deleted, began)

    @property
    def closings(self) -> list[tuple[datetime, str]]:
        """When it was closed, and how."""
        found = [self.stays[0]] if self.stays[0][1] in CLOSED else []
        return found + [new for old, new in pairwise(self.stays) if new[1] in CLOSED and old[1] not in CLOSED]

    @property
    def reopenings(self) -> list[datetime]:
        """When it came back."""
        return [new[0] for old, new in pairwise(self.stays) if old[1] in CLOSED and new[1] not in CLOSED]


@dataclass(frozen=True)
class Lives:
    """All tickets of an account.

    Attributes:
        by_id: Each by its id.
        as_of: The instant up to which they are known.
        zone: The reader's time zone.
    """

    by_id: Mapping[str, Life]
    as_of: datetime
    zone: ZoneInfo

    def day(self, instant: datetime) -> date:
        """The day of an instant; what is later than what is known belongs to the last day."""
        return min(instant, self.as_of).astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        """The day of `as_of`."""
        return self.day(self.as_of)

    def each_day(self) -> Iterator[date]:
        """All days from the first creation on."""
        day = self.day(min(life.created for life in self.by_id.values()))
        while day <= self.last_day:
            yield day
            day += timedelta(days=1)

    def open_on(self, day: date) -> list[tuple[str, Group, date]]:
        """Status, group and day of creation of each ticket that is open at a day's end."""
        found = []
        for life in self.by_id.values():
            states = [state for state in life.states if self.day(state[0]) <= day]
            is_gone = life.ended is not None and self.day(life.ended) <= day
            if states and not is_gone and states[-1][1] not in CLOSED:
                found.append((states[-1][1], states[-1][2], self.day(life.created)))
        return found

    def count(self, instants: Sequence[datetime]) -> Counter[date]:
        """How many instants fall on each day."""
        return Counter(map(self.day, instants))


def remember(by_id: dict[str, Life], rows: Sequence[Row], now: datetime) -> None:
    """Note what a sync sees.

    Args:
        by_id: What is known so far.
        rows: The API's tickets, all of them.
        now: The instant of the sync.
    """
    for row in rows:
        life = by_id.setdefault(row["id"], Life(instant(row["created_at"])))
        began = instant(row["updated_at"])
        if not life.versions or life.versions[-1][0] < began:
            life.versions.append((began, row))
    for identity in by_id.keys() - {row["id"] for row in rows}:
        life = by_id[identity]
        life.deleted = life.deleted or now


def instant(text: str) -> datetime:
    """A timestamp of the API."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _group(row: Row) -> Group:
    return row["warehouse_id"], row["category"], row["priority"]
