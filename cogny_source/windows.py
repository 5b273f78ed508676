"""Windows of time and the order of a listing: pure rules, without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from cogny_source.timestamps import format_instant, shift

CREATED = "created_at"
UPDATED = "updated_at"
BEGINNING = datetime.min.replace(tzinfo=UTC)
# The API documents neither whether its bounds are inclusive nor their precision: request a second more and clip.
MARGIN_SECONDS = 1.0
Row = TypeVar("Row")


@dataclass(frozen=True)
class Window:
    """A half-open span `[start, end)` of one timestamp; None is open.

    Attributes:
        start: Its first instant.
        end: The first instant after it.
    """

    start: datetime | None = None
    end: datetime | None = None

    def params(self, field: str) -> dict[str, str]:
        """The API filters that return at least the window's rows, for `created_at` or `updated_at`."""
        stem = field.removesuffix("_at")
        params: dict[str, str] = {}
        if self.start is not None:
            params[f"{stem}_after"] = format_instant(shift(self.start, -MARGIN_SECONDS))
        if self.end is not None:
            params[f"{stem}_before"] = format_instant(shift(self.end, MARGIN_SECONDS))
        return params

    def clip(self, rows: list[Row], instants: Sequence[datetime | None]) -> list[Row]:
        """The rows whose timestamp lies in the window."""
        if self.start is None and self.end is None:
            return rows
        return [row for row, instant in zip(rows, instants, strict=True) if instant in self]

    @property
    def sort_key(self) -> datetime:
        """The key to sort windows by."""
        return self.start or BEGINNING

    def touches(self, later: Window) -> bool:
        """Whether a window that begins no earlier overlaps or continues this one."""
        return self.end is None or later.sort_key <= self.end

    def joined(self, later: Window) -> Window:
        """The union of this window and one that touches it."""
        ends = (self.end, later.end)
        return Window(self.start, None if None in ends else max(filter(None, ends)))

    def __contains__(self, instant: datetime | None) -> bool:
        """Whether an instant lies in the window; None, of an unreadable timestamp, always does."""
        if instant is None:
            return True
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


@dataclass
class Order:
    """Whether the rows of a listing so far came in ascending order of one timestamp.

    Attributes:
        ascending: False once a row was older than one before it.
        last: The newest timestamp met; None before the first that is readable.
    """

    ascending: bool = True
    last: datetime | None = None

    def observe(self, instant: datetime | None) -> None:
        """Record the next row's timestamp; an unreadable one is ignored."""
        if instant is None:
            return
        if self.last is not None and instant < self.last:
            self.ascending = False
            return
        self.last = instant
