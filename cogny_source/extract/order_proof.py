"""The order proof: what the rows that came say about the order that was asked for; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto

from cogny_source.windows import Order

# The order is put to the proof only where a listing is long enough to be worth resuming.
PROOF_PAGES = 10


class OrderState(Enum):
    """What is known about the order of a listing."""

    PROVEN = auto()
    OPEN = auto()
    """Unknown; the newest row by the API's own order would show it now."""
    UNPROVEN = auto()
    """Broken, not honoured, or unknown while no question would show it."""


class OrderProof:
    """Whether the rows of a listing came in ascending order, and whether that is more than chance.

    Rows that came in ascending order may do so by chance: in a listing that is always by creation, and whose first rows
    never changed, `updated_at` ascends too, until it does not. The newest row by the API's own descending order tells:
    a server that ignores the sort answers with its first row, which is older. As long as all rows share one instant,
    the question would prove nothing.

    Attributes:
        ascending: False once a row was older than one before it.
        pages: How many pages came.
        first: The first timestamp that was read.
        last: The newest timestamp up to which the listing is read; the caller moves it back where rows slipped.
        newest: The newest timestamp that there was when the order was put to the proof.
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
        """Whether the API honours the sort, and the rows that came do not contradict it."""
        return self.ascending and bool(self._proven)

    @property
    def is_honoured(self) -> bool:
        """Whether the API's newest row showed that it honours the sort."""
        return bool(self._proven)

    @property
    def can_be_asked(self) -> bool:
        """Whether the newest row would show now whether the sort is honoured."""
        risen = self.first is not None and self.last is not None and self.first < self.last
        return self._proven is None and risen and self.pages >= self._ask_at

    @property
    def state(self) -> OrderState:
        """What is known, and whether a question would tell more."""
        if self.is_proven:
            return OrderState.PROVEN
        return OrderState.OPEN if self.ascending and self.can_be_asked else OrderState.UNPROVEN

    def observe(self, instants: Iterable[datetime | None], run: Order) -> None:
        """Take in a page.

        Args:
            instants: The timestamp of each of its rows.
            run: The order of the rows since the listing was last taken up.
        """
        self.pages += 1
        for instant in instants:
            run.observe(instant)
            self.first = self.first or instant
        self.ascending = self.ascending and run.ascending
        if run.last is not None and (self.last is None or run.last > self.last):
            self.last = run.last

    def judge(self, newest: datetime | None, *, came_before: bool) -> bool | None:
        """Take in the newest row by the API's own order.

        Args:
            newest: Its timestamp; None where no row came, or it has none.
            came_before: Whether that row was read before. Then it may be the first of a list in another order, changed
                since, and proves nothing; the question is put again some pages later.

        Returns:
            Whether the sort is honoured; None where that remains open.
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
        """Take the proof of another listing in the same order."""
        self._proven = other.is_proven or None

    def has_passed(self, start: datetime | None) -> bool:
        """Whether the listing came beyond an instant; None stands for its beginning."""
        return self.last is not None and (start is None or self.last > start)
