"""A listing of the API, with proofs of its order and completeness, and restarts after expired cursors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.api.calls import Params
from cogny_source.api.pagination import GROWTH_ROWS, Page, iter_pages, read_page
from cogny_source.errors import BadRequest
from cogny_source.extract.completeness import Readings, RowCounter, Verdict, hash_key
from cogny_source.extract.context import ReadContext
from cogny_source.extract.next_step import (
    LAST_STEPS,
    MAX_SHORT_READINGS,
    CursorRefused,
    Event,
    ListEnded,
    NextStep,
    PageRead,
    Progress,
    decide_next,
)
from cogny_source.extract.order_proof import PROOF_PAGES, OrderProof
from cogny_source.records.columns import Row
from cogny_source.records.convert import check_keys
from cogny_source.timestamps import parse_instant
from cogny_source.windows import UPDATED, Order, Window

logger = logging.getLogger(__name__)


class Listing:
    """One listing of a resource over a window of one timestamp.

    It performs the steps that `decide_next` decides from its facts.

    Args:
        context: Client, endpoint and counters.
        field: `created_at` or `updated_at`, for filter and sort.
        window: The requested window.

    Attributes:
        order: The proof of the order.
        count: The comparison of rows and counts.
        server_time: The server's clock at the first page (UTC); None if unknown.
        mark: The listing has every change up to here (UTC): the server's clock at the first page, or the newest change
            if that is earlier and the clock is doubtful; None without a clock.
        latest_time: The server's clock at the last page.
        total_count: The API's count at the first page.
        complete: Whether the API's count, if there is one, agrees with the rows.
        surplus: How many rows of the whole resource the API repeatedly counts but does not list.
        cut_short: Whether it was ended because it changes faster than it is read.
        has_gap: Whether rows may have slipped, and the listing could not be resumed before them.
    """

    def __init__(self, context: ReadContext, field: str, window: Window) -> None:
        self.context = context
        self.field = field
        self.window = window
        self.order = OrderProof()
        self.count = RowCounter(field)
        self.server_time: datetime | None = None
        self.mark: datetime | None = None
        self.latest_time: datetime | None = None
        self.total_count: int | None = None
        self.complete = True
        self.surplus = 0
        self.cut_short = False
        self.has_gap = False
        self._rows_after_start = 0
        self._rows_before_start = 0
        self._readings = Readings()
        self._progress = Progress()

    def pages(self) -> Iterator[Page]:
        """Read the listing to its end, with restarts where it lost its position.

        Yields:
            The pages; a row may come more than once.

        Raises:
            PaginationError: If the API's cursors never end.
            ContractError: If a row has no key.
            BadRequest: If the API refuses the listing, or its cursors keep expiring without progress.
        """
        start = self.window.start
        while True:
            attempt = _Attempt(self, Window(start, self.window.end))
            try:
                yield from attempt.pages()
            except BadRequest as error:
                step = self._decide_after_refusal(attempt)
                if step is NextStep.FAIL:
                    raise
                logger.warning("%s; the cursor may have expired, resuming the listing", error)
            else:
                step = attempt.step if attempt.step is not NextStep.READ_ON else self._decide_after_end(attempt)
            if step in LAST_STEPS:
                self.cut_short = step is NextStep.CUT_SHORT
                self.complete = step is not NextStep.FINISH_INCOMPLETE
                return
            if step is NextStep.READ_AFRESH:
                self._forget_reading()
            start = self.order.last if step in (NextStep.RESUME, NextStep.TAKE_UP_BEFORE_GAP) else self.window.start

    @property
    def safe_cut(self) -> datetime | None:
        """The timestamp from which a later listing can continue: all older rows of the window are read.

        None if the order is broken or unproven, or no older row was read.
        """
        if not self.order.is_proven or self.has_gap or not self.order.has_passed(self.window.start):
            return None
        return self.order.last

    def observe(self, page: Page, run: Order) -> None:
        """Record the facts of a page.

        Args:
            page: The page.
            run: The order of the rows since the listing was last resumed.
        """
        if not self.order.pages:
            self.server_time = page.server_time
            self.mark = self._find_mark(page)
            self.total_count = page.total_count
            if not self.window.params(self.field):
                self.context.counts.take(page.list_rows, page.server_time)
        self.latest_time = page.server_time
        instants = page.instants(self.field)
        late = sum(1 for instant in instants if instant and self.server_time and instant > self.server_time)
        self._rows_after_start += late
        self._rows_before_start += len(instants) - late
        self.order.observe(instants, run)

    def _find_mark(self, page: Page) -> datetime | None:
        """The server's clock, or the newest change at the beginning of the listing, whichever is earlier."""
        if page.server_time is None or not page.doubtful_time:
            return page.server_time
        known = self.context.counts.newest_change
        if known is None:
            known = parse_instant((self._fetch_newest(Window(), UPDATED) or {}).get(UPDATED))
        stamps = [known, *page.instants(UPDATED)]
        newest = max((stamp for stamp in stamps if stamp is not None), default=page.server_time)
        return min(newest, page.server_time)

    def trust(self, other: Listing) -> None:
        """Adopt the proof of another listing with the same sort."""
        self.order.trust(other.order)

    @property
    def runs_away(self) -> bool:
        """Whether the list grew by more rows than it had at the beginning: it may never end.

        The size at the beginning is the API's count, or the rows so far if the count is capped.
        """
        wanted = max(self.total_count or 0, self._rows_before_start)
        return self.order.ascending and self._rows_after_start > GROWTH_ROWS + wanted

    def prove_order(self) -> bool:
        """Request the newest row, if that shows whether the API honours the sort.

        Returns:
            Whether the order is proven, and the listing can be resumed.
        """
        if self.order.can_be_asked:
            row = self._fetch_newest(self.window, self.field)
            came_before = row is not None and hash_key(row) in self.count.keys
            if self.order.judge(_read_instant(row, self.field), came_before=came_before) is False:
                path = self.context.endpoint.path
                logger.warning("%s: sort=%s is not honoured; the listing cannot be resumed", path, self.field)
        return self.order.is_honoured

    def _fetch_newest(self, window: Window, field: str) -> Row | None:
        """A window's newest row by the API's descending sort; None without a row or without such a sort."""
        endpoint = self.context.endpoint
        params: Params = {**window.params(field), "sort": f"-{field}", "limit": 1}
        try:
            answer = self.context.client.get(endpoint.path, params, self.context.meter, scope=endpoint.scope)
        except BadRequest:
            return None
        rows = read_page(answer, endpoint.path).rows
        return rows[0] if rows else None

    def decide(self, describe: Callable[[], Event]) -> NextStep:
        """The next step; proves the order first if the decision needs it.

        Args:
            describe: Describes the event by the facts at the time of the call.
        """
        while (step := decide_next(describe())) is NextStep.PROVE_ORDER:
            self.prove_order()
        return step

    def _decide_after_refusal(self, attempt: _Attempt) -> NextStep:
        order, progress = self.order, self._progress
        has_moved = progress.has_moved(order.last)

        def describe() -> CursorRefused:
            is_further = has_moved and order.has_passed(attempt.start)
            return CursorRefused(attempt.pages_read > 0, is_further, order.state, progress.restarts)

        step = self.decide(describe)
        progress.note(order.last if has_moved else progress.furthest, fruitful=step is NextStep.RESUME)
        return step

    def _decide_after_end(self, attempt: _Attempt) -> NextStep:
        shortage, order, progress = attempt.shortage, self.order, self._progress
        end = ListEnded(
            verdict=self._judge(attempt, shortage),
            short_readings=self._readings.short,
            may_end_early=self._may_end_early(attempt),
            has_newer=None,
            has_moved=progress.has_moved(order.last),
            has_passed_start=order.has_passed(attempt.start),
            order=order.state,
            restarts=progress.restarts,
        )
        step = self.decide(lambda: replace(end, order=order.state))
        self._report_verdict(end.verdict, shortage, step)
        if step is NextStep.ASK_FOR_NEWEST:
            asked = replace(end, has_newer=self._has_newer())
            step = self.decide(lambda: replace(asked, order=order.state))
            progress.note(order.last, fruitful=end.has_moved)
        return step

    def _judge(self, attempt: _Attempt, rows: int) -> Verdict:
        """What the counts say about a completed reading that lacks this many rows."""
        return self._readings.judge(
            rows,
            attempt.count,
            slipped=attempt.slipped,
            dropped=self.count.dropped,
            is_steady=self.count.is_steady,
            total_count=self.total_count,
        )

    def _report_verdict(self, verdict: Verdict, shortage: int, step: NextStep) -> None:
        path = self.context.endpoint.path
        if step is NextStep.READ_AFRESH:
            logger.warning("%s: %d rows slipped between two pages, reading the listing again", path, shortage)
        elif verdict is Verdict.SURPLUS:
            logger.warning("%s: the API counts %d rows more than it lists", path, shortage)
            self.surplus = 0 if self.window.params(self.field) else shortage
        elif verdict in MAX_SHORT_READINGS:
            logger.warning("%s: %d rows slipped between two pages again; the next sync reads them", path, shortage)

    def _may_end_early(self, attempt: _Attempt) -> bool:
        """Whether a list without a count may have ended before its newest row.

        A cursor that holds a row's key finds nothing if that row is deleted or moves behind the reader; the API may
        then say that no page follows.
        """
        order = self.order
        if attempt.pages_read < 2 or attempt.count.is_counted or not order.ascending or order.last is None:
            return False
        return order.newest is None or order.newest > order.last

    def _has_newer(self) -> bool:
        """Whether the API has a row after the last one.

        The newest row alone proves nothing, as it may have changed since: request the rows after the last one.
        """
        newest = _read_instant(self._fetch_newest(self.window, self.field), self.field)
        if newest is None or self.order.last is None or newest <= self.order.last:
            return False
        logger.info("%s: the list ended before its newest row, resuming it", self.context.endpoint.path)
        return True

    def _forget_reading(self) -> None:
        """Restart: rows may have slipped out of what was read, and no chunk may claim them."""
        self.order.last, self.count, self.has_gap = None, RowCounter(self.field), False
        self._progress = Progress()


def _read_instant(row: Row | None, field: str) -> datetime | None:
    return parse_instant(row.get(field)) if row else None


class _Attempt:
    """One chain of cursors over a window.

    Attributes:
        start: The beginning of its window.
        count: The comparison of its rows with the API's counts.
        pages_read: Pages read.
        step: The step after it; `READ_ON` until a page ends it.
        slipped: How many rows vanished from a list of changes that could not be resumed before them; the counts do
            not show whether other rows moved to their positions.
    """

    def __init__(self, listing: Listing, window: Window) -> None:
        self._listing = listing
        self._window = window
        self.count = listing.count if listing.count.is_new else RowCounter(listing.field)
        self._run = Order()
        self.start = window.start
        self.pages_read = 0
        self.step = NextStep.READ_ON
        self.slipped = 0

    def pages(self) -> Iterator[Page]:
        """Read pages until the list ends or a page ends the attempt."""
        listing, context = self._listing, self._listing.context
        params = {**self._window.params(listing.field), "sort": listing.field}
        endpoint = context.endpoint
        for page in iter_pages(context.client, endpoint.path, params, context.meter, scope=endpoint.scope):
            # Check before counting: a cut after an unusable page would lose its rows.
            check_keys(endpoint.table, page.rows)
            self._record_page(page)
            yield page
            context.after_page()
            if self.step is NextStep.CUT_SHORT:
                logger.warning("%s changes faster than it is read; the next sync continues", endpoint.path)
            if self.step is not NextStep.READ_ON:
                return

    def _record_page(self, page: Page) -> None:
        """Record a page, and record a possible slip before any later row counts as read."""
        listing, before = self._listing, self._run.last
        self.pages_read += 1
        vanished = self.count.observe(page)
        if self.count is not listing.count:
            listing.count.observe(page)
        listing.observe(page, self._run)
        has_place_before = before is not None and (self.start is None or before > self.start)

        def describe() -> PageRead:
            is_long = listing.order.pages >= PROOF_PAGES and page.has_more
            return PageRead(is_long, vanished > 0, has_place_before, listing.order.state, listing.runs_away)

        self.step = listing.decide(describe)
        if self.step is NextStep.TAKE_UP_BEFORE_GAP:
            path = listing.context.endpoint.path
            logger.info("%s: %d rows vanished, resuming the listing before them", path, vanished)
            listing.order.last = before
        elif vanished:
            listing.has_gap = True
            self.slipped += vanished if listing.field == UPDATED else 0

    @property
    def shortage(self) -> int:
        """How many of the counted rows did not come."""
        # The count of a filtered list may count all rows, and proves nothing for a single page.
        filtered = bool(self._window.params(self._listing.field))
        own = self.count.shortage if self.pages_read > 1 or not filtered else 0
        # A list resumed at a timestamp lacks the rows without one.
        taken_up = self._window != self._listing.window
        return max(own, self.slipped, self._listing.count.missing if taken_up else 0)
