"""Rows that the API counts and does not list: what is missing from a listing, by its own account."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.api.pagination import Page
from cogny_source.records.convert import Row

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
        return self.keys - self._newcomers.as_set() if self._field == "created_at" else self.keys

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
        by_creation = (self._first or 0) - self._count_settled() if self._field == "created_at" else 0
        return max(0, by_creation, (self._last or 0) - self._keys.count_distinct())

    def _count_settled(self) -> int:
        newcomers = self._newcomers.count_distinct() if self._field == "created_at" else 0
        return self._keys.count_distinct() - newcomers


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
