"""A listing that is trusted only as far as it proves itself: order, completeness, cursors that expire."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

from cogny_source.api.http_client import Params
from cogny_source.api.pagination import GROWTH_ROWS, Page, iter_pages, read_page
from cogny_source.errors import BadRequest
from cogny_source.extract.completeness import RowCounter, hash_key
from cogny_source.extract.context import ReadContext
from cogny_source.records.convert import Row, check_keys
from cogny_source.timestamps import parse_instant
from cogny_source.windows import CREATED, UPDATED, Order, Window

logger = logging.getLogger(__name__)

MAX_RESTARTS = 3
# A list whose rows change places, and nothing else, is read again as long as each reading brings rows.
MAX_SHUFFLED_RESTARTS = 10
# The order is put to the proof only where a listing is long enough to be worth resuming.
PROOF_PAGES = 10


class Listing:
    """One listing of a resource over a window of one timestamp.

    Args:
        reading: Client, endpoint and counters.
        field: `created_at` or `updated_at`: what is filtered and sorted by.
        window: The span that is asked for.

    Attributes:
        server_time: The server's clock at the first page (UTC); None where it is not told.
        mark: Up to when the listing brings every change (UTC): the server's clock at the first page, but no later than
            the newest change where that clock is in doubt; None where there is no clock.
        latest_time: The server's clock at the page read last.
        total_count: The API's count at the first page.
        ascending: Whether the rows came in ascending order.
        first: The first timestamp that was read.
        last: The newest timestamp up to which the listing is read.
        newest: The newest timestamp that there was when the order was put to the proof.
        complete: Whether the API's own count agrees with the rows that came, as far as it counts.
        surplus: How many rows the API counts in the whole resource beyond those that it lists, time and again.
        cut_short: Whether it was ended because it changes faster than it is read.
        has_gap: Whether rows may have slipped out of what is read, and the listing could not be taken up before them.
    """

    def __init__(self, reading: ReadContext, field: str, window: Window) -> None:
        self.reading = reading
        self.field = field
        self.window = window
        self.server_time: datetime | None = None
        self.mark: datetime | None = None
        self.latest_time: datetime | None = None
        self.total_count: int | None = None
        self.surplus = 0
        self.cut_short = False
        self.has_gap = False
        self.ascending = True
        self.last: datetime | None = None
        self.first: datetime | None = None
        self.newest: datetime | None = None
        self.complete = True
        self._proven: bool | None = None
        self._ask_at = 0
        self._pages = 0
        self._rows_after_start = 0
        self._rows_before_start = 0
        self.count = RowCounter(field)
        self._listed: set[int] = set()

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
        shortages: list[int] = []
        fruitless = 0
        furthest: datetime | None = None
        while True:
            attempt = _Attempt(self, Window(start, self.window.end))
            try:
                yield from attempt.pages()
            except BadRequest as error:
                moved = self.last is not None and (furthest is None or self.last > furthest)
                furthest = self.last if moved else furthest
                fruitless = 0 if moved and self.can_resume_after(start) else fruitless + 1
                if not attempt.pages_read or fruitless > MAX_RESTARTS:
                    raise
                logger.warning("%s; the cursor may have expired, the listing is taken up again", error)
                start = self.last if not fruitless else self.window.start
                continue
            self.cut_short = attempt.cut_short
            if attempt.gap_after is not None:
                start = self.last = attempt.gap_after
            elif self._is_short(attempt, shortages):
                furthest, fruitless = None, 0
                # What was read proves nothing of the rows that slipped: no chunk of the new reading may pass them.
                start, self.last, self.count, self.has_gap = self.window.start, None, RowCounter(self.field), False
            elif self._ends_early(attempt):
                moved = furthest is None or (self.last is not None and self.last > furthest)
                furthest, fruitless = self.last, 0 if moved else fruitless + 1
                if fruitless > MAX_RESTARTS:
                    self.complete = False
                    return
                start = self.last if self.can_resume_after(start) else self.window.start
            else:
                return

    @property
    def is_in_order(self) -> bool:
        """Whether the rows come in ascending order, and that is proven."""
        return self.ascending and bool(self._proven)

    @property
    def safe_cut(self) -> datetime | None:
        """The timestamp from which a later listing can go on: all older rows of the window are read.

        None where the order is broken or unproven, or nothing lies behind.
        """
        if not self.is_in_order or self.last is None or self.has_gap:
            return None
        return self.last if self.window.start is None or self.last > self.window.start else None

    def can_resume_after(self, start: datetime | None) -> bool:
        """Whether taking the listing up at its last timestamp skips something and loses nothing."""
        moved = self.last is not None and (start is None or self.last > start)
        return moved and self.ascending and self.prove_order()

    def observe(self, page: Page, order: Order) -> None:
        """Take in what a page tells of the listing."""
        if not self._pages:
            self.server_time = page.server_time
            self.mark = self._find_mark(page)
            self.total_count = page.total_count
            if not self.window.params(self.field):
                self.reading.tally.take(page.list_rows, page.server_time)
        self._pages += 1
        self.latest_time = page.server_time
        for instant in page.instants(self.field):
            order.observe(instant)
            self.first = self.first or instant
            is_late = bool(instant and self.server_time and instant > self.server_time)
            self._rows_after_start += is_late
            self._rows_before_start += not is_late
        self.ascending = self.ascending and order.ascending
        if order.last is not None and (self.last is None or order.last > self.last):
            self.last = order.last
        if self._pages >= PROOF_PAGES and page.has_more and self.ascending:
            self.prove_order()

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
        self._proven = other.is_in_order or None

    @property
    def runs_away(self) -> bool:
        """Whether more rows came after the listing began than it set out to read: it may never end.

        It set out to read what the API counts, or what came, where that counts no further than some number.
        """
        wanted = max(self.total_count or 0, self._rows_before_start)
        return self.ascending and self._rows_after_start > GROWTH_ROWS + wanted

    def prove_order(self) -> bool:
        """Ask for the newest row: a server that ignores the sort answers with its first one, which is older.

        Rows that came in ascending order may do so by chance: in a listing that is always by creation, and whose
        first rows never changed, `updated_at` ascends too, until it does not. As long as all rows share one instant,
        the question would prove nothing.

        Returns:
            Whether the order is proven, and the listing can be resumed.
        """
        risen = self.first is not None and self.last is not None and self.first < self.last
        if self._proven is None and risen and self._pages >= self._ask_at:
            self._proven = self._read_proof()
            if self._proven is None:
                self._ask_at = self._pages + PROOF_PAGES
            elif not self._proven:
                path = self.reading.endpoint.path
                logger.warning("%s: sort=%s is not honoured; the listing cannot be resumed", path, self.field)
        return bool(self._proven)

    def _read_proof(self) -> bool | None:
        """Whether the newest row by the API's own order is the newest; None where that row came before.

        Then it may be the first of a list in another order, changed since it was read.
        """
        row = self._fetch_newest(self.window, self.field)
        newest = parse_instant(row.get(self.field)) if row else None
        if row is None or newest is None or self.last is None or newest < self.last:
            return False
        self.newest = newest
        return None if hash_key(row) in self.count.keys else True

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

    def _ends_early(self, attempt: _Attempt) -> bool:
        """Whether a list that is not counted ended before its newest row.

        A cursor that holds a row's key leads nowhere once that row is deleted, or moves behind the reader; the API
        may then say that nothing follows.
        """
        if attempt.pages_read < 2 or attempt.is_counted or attempt.cut_short or not self.ascending or not self.last:
            return False
        if self.newest is not None and self.newest <= self.last:
            return False
        row = self._fetch_newest(self.window, self.field)
        newest = parse_instant(row.get(self.field)) if row else None
        if newest is None or newest <= self.last:
            return False
        # It may have changed since, and hide that others lie before it: what follows the last row tells.
        logger.info("%s: the list ended before its newest row, and is taken up again", self.reading.endpoint.path)
        return True

    def _is_short(self, attempt: _Attempt, shortages: list[int]) -> bool:
        """Whether rows slipped between two pages, so that the listing must be read again."""
        shortage, path = attempt.shortage, self.reading.endpoint.path
        self.complete = shortage == 0
        if not shortage:
            return False
        if attempt.slipped and shortage == attempt.slipped:
            shortages.append(-1)
            return self._read_again(shortage, shortages)
        brought_news = not attempt.keys <= self._listed
        self._listed |= attempt.keys
        if attempt.is_still and attempt.total_count == self.total_count == len(self._listed):
            # Rows that share a timestamp change places between two pages: together the readings brought them all.
            self.complete = True
            return False
        vanished = self.count.dropped if shortages and self.field == CREATED else 0
        repeated = shortage in shortages and (attempt.is_still or self.field == CREATED)
        if not brought_news and (repeated or shortage <= vanished):
            # Nothing had slipped: rows vanished before they were read, or it is the API's way to count.
            self.complete = True
            if self.count.is_steady:
                logger.warning("%s: the API counts %d rows more than it lists", path, shortage)
                self.surplus = 0 if self.window.params(self.field) else shortage
            return False
        shortages.append(shortage)
        shuffled = brought_news and attempt.is_still
        return self._read_again(shortage, shortages, MAX_SHUFFLED_RESTARTS if shuffled else MAX_RESTARTS)

    def _read_again(self, shortage: int, shortages: list[int], at_most: int = MAX_RESTARTS) -> bool:
        path = self.reading.endpoint.path
        if len(shortages) > at_most:
            logger.warning("%s: %d rows slipped between two pages again; the next sync reads them", path, shortage)
            return False
        logger.warning("%s: %d rows slipped between two pages, the listing is read again", path, shortage)
        return True


class _Attempt:
    """One run of cursors over a window.

    Attributes:
        pages_read: Pages that came.
        cut_short: Whether it was ended because more rows came than it could ever read.
        slipped: How many rows vanished from a list of changes that could not be taken up again before them; the counts
            do not show whether others slipped into their places.
        gap_after: Where rows may be missing, because others vanished before them and cursors that count places moved.
    """

    def __init__(self, listing: Listing, window: Window) -> None:
        self._listing = listing
        self._window = window
        self._count = listing.count if listing.count.is_new else RowCounter(listing.field)
        self.pages_read = 0
        self.gap_after: datetime | None = None
        self.cut_short = False
        self.slipped = 0

    def pages(self) -> Iterator[Page]:
        """Read on until the list ends, or rows vanish from it."""
        listing, reading = self._listing, self._listing.reading
        params = {**self._window.params(listing.field), "sort": listing.field}
        endpoint = reading.endpoint
        order = Order()
        for page in iter_pages(reading.client, endpoint.path, params, reading.meter, scope=endpoint.scope):
            # Before it counts: a cut beyond a page that cannot be taken in would lose the rows on it.
            check_keys(endpoint.table, page.rows)
            before = order.last
            self.pages_read += 1
            vanished = self._count.observe(page)
            if self._count is not listing.count:
                listing.count.observe(page)
            listing.observe(page, order)
            if vanished:
                self._look_at_gap(vanished, before)
            yield page
            reading.after_page()
            if listing.runs_away:
                logger.warning("%s changes faster than it is read; the next sync goes on", endpoint.path)
                self.cut_short = True
                return
            if self.gap_after is not None:
                return

    def _look_at_gap(self, vanished: int, before: datetime | None) -> None:
        """Note where rows may have slipped, before anything behind that place can be committed as read."""
        listing, start = self._listing, self._window.start
        if before is not None and (start is None or before > start) and listing.can_resume_after(start):
            path = listing.reading.endpoint.path
            logger.info("%s: %d rows vanished, the listing is taken up before them", path, vanished)
            self.gap_after = listing.last = before
            return
        listing.has_gap = True
        self.slipped += vanished if listing.field == UPDATED else 0

    @property
    def is_counted(self) -> bool:
        """Whether the API counted the rows, so that their number tells whether all came."""
        return self._count.is_counted

    @property
    def is_still(self) -> bool:
        """Whether nothing moved while the rows were read, as far as counts and timestamps tell."""
        return self._count.is_still

    @property
    def total_count(self) -> int | None:
        """The API's count at the last page."""
        return self._count.last

    @property
    def keys(self) -> set[int]:
        """A hash of each key that came, without rows that were created meanwhile, where that can be told."""
        return self._count.settled_keys

    @property
    def shortage(self) -> int:
        """How many rows fewer came than the API counted."""
        if self.cut_short:
            return 0
        # The count of a filtered list may be that of all rows; over one page it proves nothing.
        filtered = bool(self._window.params(self._listing.field))
        own = self._count.shortage if self.pages_read > 1 or not filtered else 0
        # Taken up at a timestamp, the list leaves out the rows that have none.
        taken_up = self._window != self._listing.window
        return max(own, self.slipped, self._listing.count.missing if taken_up else 0)
