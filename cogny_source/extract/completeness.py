"""Completeness of a listing: compares its rows with the API's own counts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.api.pagination import Page
from cogny_source.records.columns import Row

# Keys are partitioned by their hash, and each partition is counted separately.
KEY_PARTS = 32


def hash_key(row: Row) -> int:
    """A 64-bit hash of a row's key."""
    return hash(repr(row.get("id")))


class RowCounter:
    """Compares the rows of a listing with the API's counts.

    An offset cursor skips a row for each row before its position that vanishes or moves.

    Attributes:
        dropped: The sum of all decreases of the count from page to page.
    """

    def __init__(self, field: str) -> None:
        self._field = field
        self._keys = _Keys()
        self._newcomers = _Keys()
        self._first: int | None = None
        self._last: int | None = None
        self._began: datetime | None = None
        self.dropped = 0

    @property
    def is_new(self) -> bool:
        """Whether no page was observed yet."""
        return self._first is None and not self._keys

    def observe(self, page: Page) -> int:
        """Record a page; returns the decrease of the API's count since the page before."""
        previous, self._last = self._last, page.total_count
        if self.is_new:
            self._first, self._began = page.total_count, page.server_time
        keys = list(map(hash_key, page.rows))
        self._keys.extend(keys)
        newcomers = [
            key
            for key, instant in zip(keys, page.instants(self._field), strict=True)
            if instant and self._began and page.server_time and self._began < instant <= page.server_time
        ]
        self._newcomers.extend(newcomers)
        if previous is None or page.total_count is None:
            return 0
        vanished = max(0, previous - page.total_count)
        self.dropped += vanished
        return vanished

    @property
    def keys(self) -> set[int]:
        """The hashes of the rows' keys."""
        return self._keys.as_set()

    @property
    def settled_keys(self) -> set[int]:
        """The keys without rows created since the first page; a list of changes does not show which these are."""
        return self.keys - self._newcomers.as_set() if self.is_by_creation else self.keys

    @property
    def is_by_creation(self) -> bool:
        """Whether the list is sorted by creation time."""
        return self._field == "created_at"

    @property
    def is_steady(self) -> bool:
        """Whether the counts of the first and the last page are equal."""
        return self._first == self._last

    @property
    def is_counted(self) -> bool:
        """Whether the last page has a count."""
        return self._last is not None

    @property
    def is_still(self) -> bool:
        """Whether the counts of the first and the last page are equal, and no row changed since the first."""
        return self.is_counted and self.is_steady and not self._newcomers

    @property
    def last(self) -> int | None:
        """The count of the last page."""
        return self._last

    @property
    def missing(self) -> int:
        """Rows counted at the first page that no attempt returned."""
        return max(0, (self._first or 0) - self._count_settled())

    @property
    def shortage(self) -> int:
        """How many rows the API counted but did not list.

        By creation time, all rows counted at the first page must be listed; by update time, those of the last page.
        """
        by_creation = (self._first or 0) - self._count_settled() if self.is_by_creation else 0
        return max(0, by_creation, (self._last or 0) - self._keys.count_distinct())

    def _count_settled(self) -> int:
        newcomers = self._newcomers.count_distinct() if self.is_by_creation else 0
        return self._keys.count_distinct() - newcomers


class Verdict(Enum):
    """What the API's counts say about a listing."""

    COMPLETE = auto()
    """All came, or the API does not count."""
    SURPLUS = auto()
    """The API counts rows that it does not list, time and again."""
    VANISHED = auto()
    """Rows vanished before they were read."""
    SLIPPED = auto()
    """Rows slipped between two pages."""
    SHUFFLED = auto()
    """Rows are missing, and those that came had not come before: rows that share a timestamp change places."""


@dataclass(frozen=True)
class Shortage:
    """Facts about rows that the API counted but did not list, at the end of a listing.

    Attributes:
        rows: Their number.
        slipped: How many vanished from a list of changes that could not be resumed before them; counts do not show
            whether other rows moved to their positions.
        dropped: The sum of all decreases of the count from page to page.
        by_creation: Whether the list is sorted by creation time, so that rows keep their positions.
        has_news: Whether a row came that no earlier reading returned.
        is_still: Whether, by counts and timestamps, nothing changed during the reading.
        is_steady: Whether the counts of the first and the last page are equal.
        adds_up: Whether all readings together returned as many rows as the API counts.
        earlier: The shortage of each earlier reading; None if only slipped rows were missing.
    """

    rows: int
    slipped: int
    dropped: int
    by_creation: bool
    has_news: bool
    is_still: bool
    is_steady: bool
    adds_up: bool
    earlier: tuple[int | None, ...]

    @property
    def is_slipped_rows(self) -> bool:
        """Whether only rows that vanished from a list of changes are missing."""
        return bool(self.slipped) and self.rows == self.slipped


def judge_shortage(shortage: Shortage) -> Verdict:
    """The meaning of a shortage, given the earlier readings."""
    if not shortage.rows:
        return Verdict.COMPLETE
    if shortage.is_slipped_rows:
        return Verdict.SLIPPED
    if shortage.is_still and shortage.adds_up:
        return Verdict.COMPLETE
    if not shortage.has_news and _is_explained(shortage):
        return Verdict.SURPLUS if shortage.is_steady else Verdict.VANISHED
    return Verdict.SHUFFLED if shortage.has_news and shortage.is_still else Verdict.SLIPPED


def _is_explained(shortage: Shortage) -> bool:
    """Whether a second reading that lacks rows and has nothing new proves that no row slipped."""
    if shortage.rows in shortage.earlier and (shortage.is_still or shortage.by_creation):
        return True
    return bool(shortage.earlier) and shortage.by_creation and shortage.rows <= shortage.dropped


class Readings:
    """The successive readings of one window: their rows, and how many each lacked."""

    def __init__(self) -> None:
        self._listed: set[int] = set()
        self._shortages: list[int | None] = []

    @property
    def short(self) -> int:
        """The number of readings that lacked rows which may have slipped."""
        return len(self._shortages)

    def judge(
        self, rows: int, count: RowCounter, *, slipped: int, dropped: int, is_steady: bool, total_count: int | None
    ) -> Verdict:
        """Record a completed reading.

        Args:
            rows: How many rows it lacks.
            count: Its rows, since the listing was last resumed.
            slipped: See `Shortage`.
            dropped: See `Shortage`.
            is_steady: See `Shortage`.
            total_count: The count of the very first page.
        """
        # Only readings that lack rows keep their keys: those of a million rows take 70 MB.
        keys = count.settled_keys if rows and rows != slipped else set()
        has_news = not keys <= self._listed
        self._listed |= keys
        shortage = Shortage(
            rows,
            slipped,
            dropped,
            by_creation=count.is_by_creation,
            has_news=has_news,
            is_still=count.is_still,
            is_steady=is_steady,
            adds_up=count.last == total_count == len(self._listed),
            earlier=tuple(self._shortages),
        )
        verdict = judge_shortage(shortage)
        if verdict in (Verdict.SLIPPED, Verdict.SHUFFLED):
            self._shortages.append(None if shortage.is_slipped_rows else rows)
        return verdict


class _Keys:
    """Hashes of keys in 8 MB a million, counted with 4 MB more; a set would take 70 MB."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(KEY_PARTS)]

    def __bool__(self) -> bool:
        return any(self._parts)

    def extend(self, keys: Iterable[int]) -> None:
        """Add hashes."""
        for key in keys:
            self._parts[key % KEY_PARTS].append(key)

    def as_set(self) -> set[int]:
        """All hashes, as a set."""
        return set().union(*self._parts)

    def count_distinct(self) -> int:
        """The number of distinct hashes."""
        return sum(map(_count_distinct, self._parts))


def _count_distinct(keys: array[int]) -> int:
    if not keys:
        return 0
    values = pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(keys)])
    ordered = values.take(pc.array_sort_indices(values))
    steps: int = pc.sum(pc.not_equal(ordered[1:], ordered[:-1]), min_count=0).as_py()
    return 1 + steps
