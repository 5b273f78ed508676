"""The order proof: what the rows of a listing prove about its sort; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto

from cogny_source.windows import Order

# The order is proved only if a listing is long enough to be worth resuming.
PROOF_PAGES = 10


class OrderState(Enum):
    """What is known about the order of a listing."""

    PROVEN = auto()
    OPEN = auto()
    """Unknown; the newest row by the API's own order would show it now."""
    UNPROVEN = auto()
    """Broken, not honoured, or unknown while no question would show it."""


class OrderProof:
    """Whether the rows of a listing came in ascending order, and not by chance.

    Rows may ascend by chance: in a listing that is always sorted by creation, `updated_at` ascends as long as the rows
    never changed. The proof is the newest row by the API's descending sort: a server that ignores the sort returns its
    first row, which is older. While all rows have the same timestamp, that request would prove nothing.

    Attributes:
        ascending: False after a row that is older than one before it.
        pages: Pages read.
        first: The first timestamp.
        last: The timestamp up to which the listing is read; the caller moves it back if rows slipped.
        newest: The newest timestamp at the time of the proof.
    """

    def __init__(self) -> None:
        self.ascending = True
        self.pages = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.newest: datetime | None = None
        self._proven: bool | None = None
        self._ask_at = 0

    @property
    def is_proven(self) -> bool:
        """Whether the API honours the sort, and no row contradicts it."""
        return self.ascending and bool(self._proven)

    @property
    def is_honoured(self) -> bool:
        """Whether the API's newest row showed that it honours the sort."""
        return bool(self._proven)

    @property
    def can_be_asked(self) -> bool:
        """Whether the newest row would now prove something."""
        risen = self.first is not None and self.last is not None and self.first < self.last
        return self._proven is None and risen and self.pages >= self._ask_at

    @property
    def state(self) -> OrderState:
        """What is known, and whether a request would prove more."""
        if self.is_proven:
            return OrderState.PROVEN
        return OrderState.OPEN if self.ascending and self.can_be_asked else OrderState.UNPROVEN

    def observe(self, instants: Iterable[datetime | None], run: Order) -> None:
        """Record a page.

        Args:
            instants: The timestamps of its rows.
            run: The order of the rows since the listing was last resumed.
        """
        self.pages += 1
        for instant in instants:
            run.observe(instant)
            self.first = self.first or instant
        self.ascending = self.ascending and run.ascending
        if run.last is not None and (self.last is None or run.last > self.last):
            self.last = run.last

    def judge(self, newest: datetime | None, *, came_before: bool) -> bool | None:
        """Record the newest row by the API's descending sort.

        Args:
            newest: Its timestamp; None without a row or without a timestamp.
            came_before: Whether that row was read before. It may then be the first row of a list in another order that
                changed since, and proves nothing; the request is repeated some pages later.

        Returns:
            Whether the sort is honoured; None if that is still open.
        """
        if newest is None or self.last is None or newest < self.last:
            self._proven = False
            return False
        self.newest = newest
        if came_before:
            self._ask_at = self.pages + PROOF_PAGES
            return None
        self._proven = True
        return True

    def trust(self, other: OrderProof) -> None:
        """Adopt the proof of another listing with the same sort."""
        self._proven = other.is_proven or None

    def has_passed(self, start: datetime | None) -> bool:
        """Whether the listing got beyond an instant; None means its beginning."""
        return self.last is not None and (start is None or self.last > start)
