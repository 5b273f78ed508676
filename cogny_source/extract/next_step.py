"""The next step of a listing, decided from facts alone: after a page, after a refused cursor, at the end of the list.

The listing performs the step that `decide_next` returns and decides nothing itself. Two steps request a fact from the
API; the event is then described again with that fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from cogny_source.extract.completeness import Verdict
from cogny_source.extract.order_proof import OrderState

MAX_RESTARTS = 3
# How often a listing is restarted because rows are missing. If rows only change positions and each reading returns new
# ones, more readings are worth their requests.
MAX_SHORT_READINGS = {Verdict.SLIPPED: MAX_RESTARTS, Verdict.SHUFFLED: 10}


class NextStep(Enum):
    """The next step of a listing."""

    READ_ON = auto()
    """Read the next page."""
    PROVE_ORDER = auto()
    """Ask for the newest row, and put the order to the proof."""
    ASK_FOR_NEWEST = auto()
    """Ask whether a row lies behind the last one."""
    TAKE_UP_BEFORE_GAP = auto()
    """List again from the last timestamp before the page on which rows vanished."""
    RESUME = auto()
    """List again from the last timestamp that was read."""
    RETURN_TO_START = auto()
    """List the whole window again, and keep what was counted."""
    READ_AFRESH = auto()
    """List the whole window again, and forget what was counted: rows slipped."""
    CUT_SHORT = auto()
    """End here: the list grows faster than it is read."""
    FINISH = auto()
    """End: all rows came, as far as the API's counts tell."""
    FINISH_INCOMPLETE = auto()
    """End, although rows are missing: the next sync reads them."""
    FAIL = auto()
    """Raise the API's refusal."""


LAST_STEPS = (NextStep.CUT_SHORT, NextStep.FINISH, NextStep.FINISH_INCOMPLETE)


@dataclass(frozen=True)
class PageRead:
    """A page was read.

    Attributes:
        is_long: Whether the listing is long enough to be worth resuming, and more pages follow.
        rows_vanished: Whether the API counts fewer rows than at the page before.
        has_place_before: Whether the listing can be resumed at a timestamp before the page.
        order: What is known about the order.
        runs_away: Whether the list grew by more rows than it had at the beginning.
    """

    is_long: bool
    rows_vanished: bool
    has_place_before: bool
    order: OrderState
    runs_away: bool


@dataclass(frozen=True)
class CursorRefused:
    """The API refused the listing; its cursor may have expired.

    Attributes:
        pages_came: Whether a page came since the listing was last resumed.
        has_moved: Whether it got further than at the restart before, and beyond the position where it was resumed.
        order: What is known about the order.
        restarts: Consecutive restarts without progress.
    """

    pages_came: bool
    has_moved: bool
    order: OrderState
    restarts: int


@dataclass(frozen=True)
class ListEnded:
    """The API says that no page follows.

    Attributes:
        verdict: What the API's counts say about the rows.
        short_readings: How many readings of the whole window, including this one, lacked rows.
        may_end_early: Whether the list may have ended before its newest row: it has no count, and that row is unknown.
        has_newer: Whether the API has a row after the last one; None if not requested yet.
        has_moved: Whether the listing got further than at the restart before.
        has_passed_start: Whether it got beyond the position where it was resumed.
        order: What is known about the order.
        restarts: Consecutive restarts without progress.
    """

    verdict: Verdict
    short_readings: int
    may_end_early: bool
    has_newer: bool | None
    has_moved: bool
    has_passed_start: bool
    order: OrderState
    restarts: int


Event = PageRead | CursorRefused | ListEnded


def decide_next(event: Event) -> NextStep:
    """What a listing does next."""
    match event:
        case PageRead():
            return _after_page(event)
        case CursorRefused():
            return _after_refusal(event)
        case ListEnded():
            return _after_end(event)


def _after_page(page: PageRead) -> NextStep:
    has_gap = page.rows_vanished and page.has_place_before
    if page.order is OrderState.OPEN and (page.is_long or has_gap):
        return NextStep.PROVE_ORDER
    if page.order is OrderState.PROVEN and has_gap:
        return NextStep.TAKE_UP_BEFORE_GAP
    return NextStep.CUT_SHORT if page.runs_away else NextStep.READ_ON


def _after_refusal(refusal: CursorRefused) -> NextStep:
    if not refusal.pages_came:
        return NextStep.FAIL
    if refusal.has_moved and refusal.order is OrderState.OPEN:
        return NextStep.PROVE_ORDER
    if refusal.has_moved and refusal.order is OrderState.PROVEN:
        return NextStep.RESUME
    return NextStep.RETURN_TO_START if refusal.restarts < MAX_RESTARTS else NextStep.FAIL


def _after_end(end: ListEnded) -> NextStep:
    if end.verdict in MAX_SHORT_READINGS and end.short_readings <= MAX_SHORT_READINGS[end.verdict]:
        return NextStep.READ_AFRESH
    if end.may_end_early and end.has_newer is None:
        return NextStep.ASK_FOR_NEWEST
    if end.may_end_early and end.has_newer:
        return _after_early_end(end)
    return NextStep.FINISH_INCOMPLETE if end.verdict in MAX_SHORT_READINGS else NextStep.FINISH


def _after_early_end(end: ListEnded) -> NextStep:
    if not end.has_moved and end.restarts >= MAX_RESTARTS:
        return NextStep.FINISH_INCOMPLETE
    if end.has_passed_start and end.order is OrderState.OPEN:
        return NextStep.PROVE_ORDER
    return NextStep.RESUME if end.has_passed_start and end.order is OrderState.PROVEN else NextStep.RETURN_TO_START


@dataclass
class Progress:
    """The progress of a listing over its restarts.

    Attributes:
        furthest: The last timestamp before the latest restart; None before the first.
        restarts: Consecutive restarts without progress.
    """

    furthest: datetime | None = None
    restarts: int = 0

    def has_moved(self, last: datetime | None) -> bool:
        """Whether a timestamp is later than the furthest."""
        return last is not None and (self.furthest is None or last > self.furthest)

    def note(self, furthest: datetime | None, *, fruitful: bool) -> None:
        """Record a restart, and whether the listing had progressed before it."""
        self.furthest, self.restarts = furthest, 0 if fruitful else self.restarts + 1
