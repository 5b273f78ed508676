"""A long listing by creation time, read by parallel readers, each in its own window.

A cursor forces one request after another: if an answer takes 0.2 s, a single reader sends 300 requests a minute where
1,000 are allowed. Windows of creation time are disjoint, each is listed and counted separately, and the state holds the
rest of each. There are more windows than readers, and a window with more rows than its share is divided again, so that
an uneven distribution of rows over time does not leave all work to one reader.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cogny_source.api.pagination import PAGE_ROWS, Page
from cogny_source.errors import CognyError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.listing import Listing
from cogny_source.extract.pool import Pool
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.timestamps import shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, Window

logger = logging.getLogger(__name__)

# CPU time of a page on this machine: more readers than keep it busy are useless.
PAGE_SECONDS = 0.01
# A window with fewer rows is not worth its incomplete last page.
WORTHWHILE_ROWS = 5 * PAGE_ROWS
WINDOWS_A_READER = 3
NARROWEST_SECONDS = 4 * MARGIN_SECONDS
# Arguments: the windows left to read, and the windows read by a listing that has not ended. Returns the state.
StateAt = Callable[[list[Window], list[Window]], dict[str, Any] | None]


def count_readers(context: ReadContext, fetch_seconds: float) -> int:
    """How many readers use this machine, or the rate limit, fully.

    Args:
        context: Has the most readers, and the rate limit.
        fetch_seconds: The duration of a request.
    """
    wanted = math.ceil(fetch_seconds / PAGE_SECONDS)
    budget = context.requests_per_minute()
    if budget is not None:
        wanted = min(wanted, math.ceil(budget / 60 * fetch_seconds))
    return max(1, min(context.workers, wanted))


def is_worthwhile(listing: Listing, page: Page, rows: int) -> bool:
    """Whether enough of a listing is left for parallel readers.

    Without a count the answer is no: a row without a readable timestamp is in no window, and only the count shows that
    it is missing.

    Args:
        listing: The listing.
        page: Its last page.
        rows: Rows read so far.
    """
    if not page.has_more or page.total_count is None or listing.context.counts.api_rows is None:
        return False
    return page.total_count - rows >= 4 * WORTHWHILE_ROWS


@dataclass
class WindowReader:
    """Reads one window page by page.

    Attributes:
        listing: Its listing.
        pages: The listing's pages.
        cut: The timestamp up to which its rows are accepted.
        begun: Whether a page was read.
    """

    listing: Listing
    pages: Iterator[Page]
    cut: datetime | None = None
    begun: bool = False

    @property
    def left(self) -> Window:
        """The rest of the window after the accepted rows."""
        return Window(self.cut or self.listing.window.start, self.listing.window.end)

    @property
    def read(self) -> list[Window]:
        """The part of the window that was read, while its listing has not ended."""
        return [Window(self.listing.window.start, self.cut)] if self.cut is not None else []

    def step(self) -> ReadStep:
        """Read the next page; the only method that runs in another thread."""
        try:
            page = next(self.pages, None)
        except CognyError as error:
            return ReadStep(None, error, self.listing.safe_cut)
        return ReadStep(page, None, self.listing.safe_cut)


@dataclass(frozen=True)
class ReadStep:
    """The result of one step of a reader.

    Attributes:
        page: A page; None if the listing ended or failed.
        error: The error of a failed listing.
        cut: The timestamp from which a later listing can continue; None if there is none yet.
    """

    page: Page | None
    error: CognyError | None
    cut: datetime | None


class WindowPool:
    """Reads the windows of a divided listing, and the windows after it, with parallel readers.

    Args:
        whole: A partly read listing in proven order.
        later: Windows to read after it.
        size: The most readers.
        state_at: Makes the state with given windows left.

    Attributes:
        honoured: Whether the API honours windows; if not, none of the rows counts.
        unfinished: Windows in which the API listed fewer rows than it counts.
    """

    def __init__(self, whole: Listing, later: list[Window], size: int, state_at: StateAt) -> None:
        self.honoured = True
        self.unfinished: list[Window] = []
        self._whole = whole
        self._size = size
        self._state_at = state_at
        rows = max(whole.total_count or 0, WORTHWHILE_ROWS)
        self._share = max(WORTHWHILE_ROWS, rows // (size * WINDOWS_A_READER))
        self._waiting = deque([*self._divide(whole.window, rows // self._share), *later])
        self._readers: list[WindowReader] = []
        self._running: dict[Future[ReadStep], WindowReader] = {}
        self._counts: list[int] = []
        self._error: CognyError | None = None

    def chunks(self, builder: ChunkBuilder) -> Iterator[Chunk]:
        """Read all windows, or find out that the API ignores them.

        Args:
            builder: Has the rows that are read but not loaded yet.

        Yields:
            Chunks, each with the state to commit with it.

        Raises:
            CognyError: The error that ended the reading, after the rows of all readers so far.
        """
        with self._whole.context.open_pool(self._size, "reader") as pool:
            self._employ(pool)
            while self._running:
                for future in pool.wait_for_any(self._running):
                    reader = self._running.pop(future)
                    step = future.result()
                    page = self._accept(step, reader)
                    if page is not None and self._goes_on:  # it reads on while its rows are accepted
                        self._running[pool.submit(reader.step)] = reader
                    if page is not None:
                        self._take_in(page, step.cut, reader, builder)
                if self._goes_on:
                    self._employ(pool)
                    if builder.is_full(self._whole.context.chunk_rows):
                        yield builder.build(self._state())
        if self.honoured and (self._error is None or builder.rows):
            yield builder.build(self._state())
        if self._error is not None:
            raise self._error

    @property
    def _goes_on(self) -> bool:
        return self._error is None and self.honoured

    def _employ(self, pool: Pool) -> None:
        """Start readers for waiting windows."""
        while self._waiting and len(self._running) < self._size:
            context = replace(self._whole.context, after_page=lambda: None)
            listing = Listing(context, CREATED, self._waiting.popleft())
            listing.trust(self._whole)
            reader = WindowReader(listing, listing.pages())
            self._readers.append(reader)
            self._running[pool.submit(reader.step)] = reader

    def _accept(self, step: ReadStep, reader: WindowReader) -> Page | None:
        """Check a reader's step; returns the page to accept if the reader continues."""
        if step.error is not None:
            self._error = self._error or step.error
            return None
        if step.page is None:
            self._readers.remove(reader)
            if not reader.listing.complete:
                self.unfinished.append(reader.listing.window)
            return None
        return step.page if reader.begun or self._begin(reader, step.page) else None

    def _take_in(self, page: Page, cut: datetime | None, reader: WindowReader, builder: ChunkBuilder) -> None:
        try:
            builder.add(reader.listing.window.clip(page.rows, page.instants(CREATED)))
            reader.cut = cut
            self._whole.context.after_page()
        except CognyError as error:
            self._error = self._error or error

    def _begin(self, reader: WindowReader, page: Page) -> bool:
        """Check a window's first page; returns whether the reader continues."""
        reader.begun = True
        window = reader.listing.window
        self._counts.append(page.total_count or 0)
        if not self._honours(window, page):
            logger.info("%s: the API ignores windows of creation time", self._whole.context.endpoint.path)
            self.honoured = False
            return False
        # A single count may be the unfiltered total; only a second window shows whether the API counts per window.
        parts = self._divide(window, 2) if self._counts[-1] > 2 * self._share and len(self._counts) > 1 else []
        if len(parts) < 2:
            return True
        self._readers.remove(reader)
        self._counts.pop()
        self._waiting.extendleft(reversed(parts))
        return False

    def _honours(self, window: Window, page: Page) -> bool:
        """Whether a page stays within its window, and the counts of the windows so far do not exceed the total."""
        instants = page.instants(CREATED)
        bound = window.start and shift(window.start, -2 * MARGIN_SECONDS)
        if page.total_count is None or any(bound and at and at < bound for at in instants):
            return False
        return sum(self._counts) <= 1.1 * (self._whole.context.counts.api_rows or 0) + WORTHWHILE_ROWS

    def _divide(self, window: Window, parts: int) -> list[Window]:
        """Windows of equal length; fewer than requested if they would be too narrow."""
        start, end = window.start or self._whole.order.first, window.end or self._whole.order.newest
        if start is None or end is None:
            return [window]
        seconds = (end - start).total_seconds()
        parts = min(parts, int(seconds / NARROWEST_SECONDS))
        bounds = [shift(start, seconds * place / parts) for place in range(1, parts)]
        return list(map(Window, [window.start, *bounds], [*bounds, window.end]))

    def _state(self) -> dict[str, Any] | None:
        windows = [*self.unfinished, *(reader.left for reader in self._readers), *self._waiting]
        read = [window for reader in self._readers for window in reader.read]
        return self._state_at(sorted(windows, key=lambda window: window.sort_key), read)
