"""A long listing by creation time, read by several readers side by side, each in a window of its own.

A cursor forces one request after another: where an answer takes 0.2 s, a single reader sends 300 requests a minute, and
may send 1,000. Windows of creation time are disjoint, each is listed and counted for itself, and the state holds what
is left of each. There are more windows than readers, and one that holds more rows than its share is divided again, so
that an uneven spread of rows over time does not leave one reader alone.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cogny_source.api.pagination import PAGE_ROWS, Page
from cogny_source.errors import CognyError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.listing import Listing
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.timestamps import shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, Window

logger = logging.getLogger(__name__)

# What a page costs this machine, however fast the API is: there is no use in more readers than keep it busy.
PAGE_SECONDS = 0.01
# A window of fewer rows is not worth the page that it shares with the next.
WORTHWHILE_ROWS = 5 * PAGE_ROWS
WINDOWS_A_READER = 3
NARROWEST_SECONDS = 4 * MARGIN_SECONDS
# The state with these windows of a listing left to read, and those that were read by a listing without an end yet.
StateAt = Callable[[list[Window], list[Window]], dict[str, Any] | None]


def count_readers(reading: ReadContext, fetch_seconds: float) -> int:
    """How many readers keep this machine, or the rate limit, busy.

    Args:
        reading: With the cap, and what the rate limit allows.
        fetch_seconds: How long an answer takes.
    """
    wanted = math.ceil(fetch_seconds / PAGE_SECONDS)
    budget = reading.requests_per_minute()
    if budget is not None:
        wanted = min(wanted, math.ceil(budget / 60 * fetch_seconds))
    return max(1, min(reading.workers, wanted))


def is_worthwhile(listing: Listing, page: Page, rows: int) -> bool:
    """Whether so much is left of a listing that further readers help.

    Not where the API does not count: a row without a readable timestamp is in no window, and the count alone tells
    that it is missing.

    Args:
        listing: The listing.
        page: Its page that came last.
        rows: How many rows have come.
    """
    if not page.has_more or page.total_count is None or listing.reading.tally.api_rows is None:
        return False
    return page.total_count - rows >= 4 * WORTHWHILE_ROWS


@dataclass
class WindowReader:
    """One window, read page by page.

    Attributes:
        listing: Its listing.
        pages: The listing's pages.
        cut: Up to where its rows are taken.
        begun: Whether a page has come.
    """

    listing: Listing
    pages: Iterator[Page]
    cut: datetime | None = None
    begun: bool = False

    @property
    def left(self) -> Window:
        """What is left to read once the rows taken are loaded."""
        return Window(self.cut or self.listing.window.start, self.listing.window.end)

    @property
    def read(self) -> list[Window]:
        """What is read of the window, as long as its listing has not come to its end."""
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
    """What a reader brings at a time.

    Attributes:
        page: A page; None where the listing has ended, or failed.
        error: Why it failed.
        cut: The timestamp from which a later listing can go on; None where there is none yet.
    """

    page: Page | None
    error: CognyError | None
    cut: datetime | None


class WindowPool:
    """Readers of the windows that a listing is divided into, and of those after it.

    Args:
        whole: A listing in proven order, of which some pages are read.
        later: Windows to read after it.
        size: How many readers there may be.
        state_at: The state with some windows left.

    Attributes:
        heeded: Whether the API keeps to windows; where it does not, nothing that was brought counts.
        unfinished: Windows of which the API did not list all that it counts.
    """

    def __init__(self, whole: Listing, later: list[Window], size: int, state_at: StateAt) -> None:
        self.heeded = True
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
        """Read all windows, or find out that the API does not heed them.

        Args:
            builder: With the rows that are read and not loaded yet.

        Yields:
            Chunks, each with the state that holds once it is loaded.

        Raises:
            CognyError: What ended the reading, after what every reader had brought by then.
        """
        with ThreadPoolExecutor(self._size, thread_name_prefix="reader") as pool:
            self._employ(pool)
            while self._running:
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    reader = self._running.pop(future)
                    step = future.result()
                    page = self._accept(step, reader)
                    if page is not None and self._goes_on:  # it reads on while its rows are taken in
                        self._running[pool.submit(reader.step)] = reader
                    if page is not None:
                        self._take_in(page, step.cut, reader, builder)
                if self._goes_on:
                    self._employ(pool)
                    if builder.is_full(self._whole.reading.chunk_rows):
                        yield builder.build(self._state())
        if self.heeded and (self._error is None or builder.rows):
            yield builder.build(self._state())
        if self._error is not None:
            raise self._error

    @property
    def _goes_on(self) -> bool:
        return self._error is None and self.heeded

    def _employ(self, pool: ThreadPoolExecutor) -> None:
        """Let readers begin with windows that wait."""
        while self._waiting and len(self._running) < self._size:
            reading = replace(self._whole.reading, after_page=lambda: None)
            listing = Listing(reading, CREATED, self._waiting.popleft())
            listing.trust(self._whole)
            reader = WindowReader(listing, listing.pages())
            self._readers.append(reader)
            self._running[pool.submit(reader.step)] = reader

    def _accept(self, step: ReadStep, reader: WindowReader) -> Page | None:
        """Look at what a reader brought; returns the page to take in, where the reader is to go on after it."""
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
            self._whole.reading.after_page()
        except CognyError as error:
            self._error = self._error or error

    def _begin(self, reader: WindowReader, page: Page) -> bool:
        """Look at a window's first page; returns whether the reader is to go on with it."""
        reader.begun = True
        window = reader.listing.window
        self._counts.append(page.total_count or 0)
        if not self._heeds(window, page):
            logger.info("%s: windows of creation time are not heeded", self._whole.reading.endpoint.path)
            self.heeded = False
            return False
        # One count may be that of all rows; two that are tell that no window is counted.
        parts = self._divide(window, 2) if self._counts[-1] > 2 * self._share and len(self._counts) > 1 else []
        if len(parts) < 2:
            return True
        self._readers.remove(reader)
        self._counts.pop()
        self._waiting.extendleft(reversed(parts))
        return False

    def _heeds(self, window: Window, page: Page) -> bool:
        """Whether a page keeps to its window, and the windows so far count no more rows than there are."""
        instants = page.instants(CREATED)
        bound = window.start and shift(window.start, -2 * MARGIN_SECONDS)
        if page.total_count is None or any(bound and at and at < bound for at in instants):
            return False
        return sum(self._counts) <= 1.1 * (self._whole.reading.tally.api_rows or 0) + WORTHWHILE_ROWS

    def _divide(self, window: Window, parts: int) -> list[Window]:
        """Windows of equal length; fewer than asked for where they would be too narrow."""
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
