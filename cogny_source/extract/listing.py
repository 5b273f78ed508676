"""A listing that is trusted only as far as it proves itself: order, completeness, cursors that expire."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.api.http_client import Params
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

    It performs what `decide_next` decides; what it did and read so far is what the decision goes by.

    Args:
        reading: Client, endpoint and counters.
        field: `created_at` or `updated_at`: what is filtered and sorted by.
        window: The span that is asked for.

    Attributes:
        order: What the rows that came say about the order.
        count: Counts the rows against the API's counts.
        server_time: The server's clock at the first page (UTC); None where it is not told.
        mark: Up to when the listing brings every change (UTC): the server's clock at the first page, but no later than
            the newest change where that clock is in doubt; None where there is no clock.
        latest_time: The server's clock at the page read last.
        total_count: The API's count at the first page.
        complete: Whether the API's own count agrees with the rows that came, as far as it counts.
        surplus: How many rows the API counts in the whole resource beyond those that it lists, time and again.
        cut_short: Whether it was ended because it changes faster than it is read.
        has_gap: Whether rows may have slipped out of what is read, and the listing could not be taken up before them.
    """

    def __init__(self, reading: ReadContext, field: str, window: Window) -> None:
        self.reading = reading
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
        """Read the listing to its end, again where it lost its place.

        Yields:
            The pages; rows may come more than once.

        Raises:
            PaginationError: If the API's cursors lead nowhere.
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
                logger.warning("%s; the cursor may have expired, the listing is taken up again", error)
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
        """The timestamp from which a later listing can go on: all older rows of the window are read.

        None where the order is broken or unproven, or nothing lies behind.
        """
        if not self.order.is_proven or self.has_gap or not self.order.has_passed(self.window.start):
            return None
        return self.order.last

    def observe(self, page: Page, run: Order) -> None:
        """Take in what a page tells of the listing.

        Args:
            page: The page.
            run: The order of the rows since the listing was last taken up.
        """
        if not self.order.pages:
            self.server_time = page.server_time
            self.mark = self._find_mark(page)
            self.total_count = page.total_count
            if not self.window.params(self.field):
                self.reading.tally.take(page.list_rows, page.server_time)
        self.latest_time = page.server_time
        instants = page.instants(self.field)
        late = sum(1 for instant in instants if instant and self.server_time and instant > self.server_time)
        self._rows_after_start += late
        self._rows_before_start += len(instants) - late
        self.order.observe(instants, run)

    def _find_mark(self, page: Page) -> datetime | None:
        """The server's clock, or the newest change that there was when the listing began, if it is the earlier one."""
        if page.server_time is None or not page.doubtful_time:
            return page.server_time
        known = self.reading.tally.newest_change
        if known is None:
            known = parse_instant((self._fetch_newest(Window(), UPDATED) or {}).get(UPDATED))
        stamps = [known, *page.instants(UPDATED)]
        newest = max((stamp for stamp in stamps if stamp is not None), default=page.server_time)
        return min(newest, page.server_time)

    def trust(self, other: Listing) -> None:
        """Take another listing's proof: its sort, which is the same, is honoured."""
        self.order.trust(other.order)

    @property
    def runs_away(self) -> bool:
        """Whether more rows came after the listing began than it set out to read: it may never end.

        It set out to read what the API counts, or what came, where that counts no further than some number.
        """
        wanted = max(self.total_count or 0, self._rows_before_start)
        return self.order.ascending and self._rows_after_start > GROWTH_ROWS + wanted

    def prove_order(self) -> bool:
        """Ask for the newest row where that tells whether the sort is honoured.

        Returns:
            Whether the order is proven, and the listing can be resumed.
        """
        if self.order.can_be_asked:
            row = self._fetch_newest(self.window, self.field)
            came_before = row is not None and hash_key(row) in self.count.keys
            if self.order.judge(_read_instant(row, self.field), came_before=came_before) is False:
                path = self.reading.endpoint.path
                logger.warning("%s: sort=%s is not honoured; the listing cannot be resumed", path, self.field)
        return self.order.is_honoured

    def _fetch_newest(self, window: Window, field: str) -> Row | None:
        """A window's newest row by the API's own order; None where it lists none, or knows no descending sort."""
        endpoint = self.reading.endpoint
        params: Params = {**window.params(field), "sort": f"-{field}", "limit": 1}
        try:
            answer = self.reading.client.get(endpoint.path, params, self.reading.meter, scope=endpoint.scope)
        except BadRequest:
            return None
        rows = read_page(answer, endpoint.path).rows
        return rows[0] if rows else None

    def decide(self, describe: Callable[[], Event]) -> NextStep:
        """What to do next; asks for the proof of the order where the decision needs it.

        Args:
            describe: Describes what happened, by what is known then.
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
        """What the counts say about a reading that came to its end and lacks that many rows."""
        return self._readings.judge(
            rows,
            attempt.count,
            slipped=attempt.slipped,
            dropped=self.count.dropped,
            is_steady=self.count.is_steady,
            total_count=self.total_count,
        )

    def _report_verdict(self, verdict: Verdict, shortage: int, step: NextStep) -> None:
        path = self.reading.endpoint.path
        if step is NextStep.READ_AFRESH:
            logger.warning("%s: %d rows slipped between two pages, the listing is read again", path, shortage)
        elif verdict is Verdict.SURPLUS:
            logger.warning("%s: the API counts %d rows more than it lists", path, shortage)
            self.surplus = 0 if self.window.params(self.field) else shortage
        elif verdict in MAX_SHORT_READINGS:
            logger.warning("%s: %d rows slipped between two pages again; the next sync reads them", path, shortage)

    def _may_end_early(self, attempt: _Attempt) -> bool:
        """Whether a list that is not counted may have ended before its newest row.

        A cursor that holds a row's key leads nowhere once that row is deleted, or moves behind the reader; the API
        may then say that nothing follows.
        """
        order = self.order
        if attempt.pages_read < 2 or attempt.count.is_counted or not order.ascending or order.last is None:
            return False
        return order.newest is None or order.newest > order.last

    def _has_newer(self) -> bool:
        """Whether the API has a row behind the last one.

        That row may have changed since, and hide that others lie before it: what follows the last row tells.
        """
        newest = _read_instant(self._fetch_newest(self.window, self.field), self.field)
        if newest is None or self.order.last is None or newest <= self.order.last:
            return False
        logger.info("%s: the list ended before its newest row, and is taken up again", self.reading.endpoint.path)
        return True

    def _forget_reading(self) -> None:
        """Begin anew: what was read proves nothing of the rows that slipped, and no chunk may pass them."""
        self.order.last, self.count, self.has_gap = None, RowCounter(self.field), False
        self._progress = Progress()


def _read_instant(row: Row | None, field: str) -> datetime | None:
    return parse_instant(row.get(field)) if row else None


class _Attempt:
    """One run of cursors over a window.

    Attributes:
        start: Where it begins.
        count: Counts its rows.
        pages_read: Pages that came.
        step: What to do after it; `READ_ON` as long as no page ended it.
        slipped: How many rows vanished from a list of changes that could not be taken up again before them; the counts
            do not show whether others slipped into their places.
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
        """Read on until the list ends, or a page ends the attempt."""
        listing, reading = self._listing, self._listing.reading
        params = {**self._window.params(listing.field), "sort": listing.field}
        endpoint = reading.endpoint
        for page in iter_pages(reading.client, endpoint.path, params, reading.meter, scope=endpoint.scope):
            # Before it counts: a cut beyond a page that cannot be taken in would lose the rows on it.
            check_keys(endpoint.table, page.rows)
            self._take_in(page)
            yield page
            reading.after_page()
            if self.step is NextStep.CUT_SHORT:
                logger.warning("%s changes faster than it is read; the next sync goes on", endpoint.path)
            if self.step is not NextStep.READ_ON:
                return

    def _take_in(self, page: Page) -> None:
        """Count a page, and note where rows may have slipped before anything behind that place counts as read."""
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
            path = listing.reading.endpoint.path
            logger.info("%s: %d rows vanished, the listing is taken up before them", path, vanished)
            listing.order.last = before
        elif vanished:
            listing.has_gap = True
            self.slipped += vanished if listing.field == UPDATED else 0

    @property
    def shortage(self) -> int:
        """How many rows fewer came than the API counted."""
        # The count of a filtered list may be that of all rows; over one page it proves nothing.
        filtered = bool(self._window.params(self._listing.field))
        own = self.count.shortage if self.pages_read > 1 or not filtered else 0
        # Taken up at a timestamp, the list leaves out the rows that have none.
        taken_up = self._window != self._listing.window
        return max(own, self.slipped, self._listing.count.missing if taken_up else 0)
