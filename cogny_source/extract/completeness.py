"""Rows that the API counts and does not list: what is missing from a listing, by its own account."""

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

# Keys are kept apart by their hash, and each part is counted for itself.
KEY_PARTS = 32


def hash_key(row: Row) -> int:
    """A row's key in 64 bits."""
    return hash(repr(row.get("id")))


class RowCounter:
    """Counts the rows of a listing against the API's own counts.

    A cursor that counts places skips a row for each that vanishes, or moves behind the reader, before its place.

    Attributes:
        dropped: By how many rows the count fell from page to page, in all.
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
        """Whether no page was counted yet."""
        return self._first is None and not self._keys

    def observe(self, page: Page) -> int:
        """Count a page; returns by how many rows the API counts fewer than at the page before."""
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
        """A hash of each row's key."""
        return self._keys.as_set()

    @property
    def settled_keys(self) -> set[int]:
        """Those that are not of rows created since the first page; in a list of changes they cannot be told apart."""
        return self.keys - self._newcomers.as_set() if self.is_by_creation else self.keys

    @property
    def is_by_creation(self) -> bool:
        """Whether the list is by creation time."""
        return self._field == "created_at"

    @property
    def is_steady(self) -> bool:
        """Whether the API counted the same at the first page and at the last."""
        return self._first == self._last

    @property
    def is_counted(self) -> bool:
        """Whether the API counted at the last page."""
        return self._last is not None

    @property
    def is_still(self) -> bool:
        """Whether the API counted alike at the first page and the last, and no row is stamped since the first."""
        return self.is_counted and self.is_steady and not self._newcomers

    @property
    def last(self) -> int | None:
        """The API's count at the last page."""
        return self._last

    @property
    def missing(self) -> int:
        """Rows counted at the first page that never came, over all attempts."""
        return max(0, (self._first or 0) - self._count_settled())

    @property
    def shortage(self) -> int:
        """Rows that the API counted and did not list.

        By creation, the rows counted at the first page must all come. By update time, those counted at the last.
        """
        by_creation = (self._first or 0) - self._count_settled() if self.is_by_creation else 0
        return max(0, by_creation, (self._last or 0) - self._keys.count_distinct())

    def _count_settled(self) -> int:
        newcomers = self._newcomers.count_distinct() if self.is_by_creation else 0
        return self._keys.count_distinct() - newcomers


class Verdict(Enum):
    """What the API's counts say about the rows of a listing."""

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
    """What is known once a listing has ended about rows that the API counted and did not list.

    Attributes:
        rows: How many there are.
        slipped: How many vanished from a list of changes that could not be taken up before them; counts do not show
            whether others slipped into their places.
        dropped: By how many rows the count fell from page to page, in all.
        by_creation: Whether the list is by creation time, in which rows keep their places.
        brought_news: Whether a row came that no reading before had brought.
        is_still: Whether nothing moved while the rows were read, as far as counts and timestamps tell.
        is_steady: Whether the API counted the same at the first page and at the last.
        adds_up: Whether all readings together brought as many rows as the API counts.
        earlier: The shortage of each reading before; None where it was that of the slipped rows.
    """

    rows: int
    slipped: int
    dropped: int
    by_creation: bool
    brought_news: bool
    is_still: bool
    is_steady: bool
    adds_up: bool
    earlier: tuple[int | None, ...]

    @property
    def is_slipped_rows(self) -> bool:
        """Whether it is that of the rows that vanished from a list of changes, and no other."""
        return bool(self.slipped) and self.rows == self.slipped


def judge_shortage(shortage: Shortage) -> Verdict:
    """What a shortage means, in the light of the readings before."""
    if not shortage.rows:
        return Verdict.COMPLETE
    if shortage.is_slipped_rows:
        return Verdict.SLIPPED
    if shortage.is_still and shortage.adds_up:
        return Verdict.COMPLETE
    if not shortage.brought_news and _is_explained(shortage):
        return Verdict.SURPLUS if shortage.is_steady else Verdict.VANISHED
    return Verdict.SHUFFLED if shortage.brought_news and shortage.is_still else Verdict.SLIPPED


def _is_explained(shortage: Shortage) -> bool:
    """Whether a second reading that lacks rows and brings nothing new shows that nothing had slipped."""
    if shortage.rows in shortage.earlier and (shortage.is_still or shortage.by_creation):
        return True
    return bool(shortage.earlier) and shortage.by_creation and shortage.rows <= shortage.dropped


class Readings:
    """The readings of one window, one after the other: which rows they brought, and how many each lacked."""

    def __init__(self) -> None:
        self._listed: set[int] = set()
        self._shortages: list[int | None] = []

    @property
    def short(self) -> int:
        """How many readings lacked rows that may have slipped."""
        return len(self._shortages)

    def judge(
        self, rows: int, count: RowCounter, *, slipped: int, dropped: int, is_steady: bool, total_count: int | None
    ) -> Verdict:
        """Take in a reading that came to its end.

        Args:
            rows: How many rows it lacks.
            count: What it brought, since the listing was last taken up.
            slipped: See `Shortage`.
            dropped: See `Shortage`.
            is_steady: See `Shortage`.
            total_count: The API's count at the first page of all.
        """
        # Only the keys of readings that lack rows are kept: those of a million take 70 MB.
        keys = count.settled_keys if rows and rows != slipped else set()
        brought_news = not keys <= self._listed
        self._listed |= keys
        shortage = Shortage(
            rows,
            slipped,
            dropped,
            by_creation=count.is_by_creation,
            brought_news=brought_news,
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
    """Hashes of keys, of a million in 8 MB, and counted with half of one more; a set of them takes 70 MB."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(KEY_PARTS)]

    def __bool__(self) -> bool:
        return any(self._parts)

    def extend(self, keys: Iterable[int]) -> None:
        """Add hashes."""
        for key in keys:
            self._parts[key % KEY_PARTS].append(key)

    def as_set(self) -> set[int]:
        """All of them."""
        return set().union(*self._parts)

    def count_distinct(self) -> int:
        """How many there are, each once."""
        return sum(map(_count_distinct, self._parts))


def _count_distinct(keys: array[int]) -> int:
    if not keys:
        return 0
    values = pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(keys)])
    ordered = values.take(pc.array_sort_indices(values))
    steps: int = pc.sum(pc.not_equal(ordered[1:], ordered[:-1]), min_count=0).as_py()
    return 1 + steps
