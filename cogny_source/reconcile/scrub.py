"""The scrub: each sync compares a slice of the table, by creation time, with the API.

An error that watermark and counts do not show would stay for ever if nothing looked at unchanged rows. With a slice in
each sync, every row is compared within a week, for a hundredth of the rate limit.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from cogny_source.api.calls import Params
from cogny_source.api.pagination import Page, iter_pages, read_page
from cogny_source.destinations.reader import DestinationReader
from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.extract.lookup import find_deleted
from cogny_source.extract.plan import DeletionGuard
from cogny_source.reconcile.census import Verdicts, mark_deleted
from cogny_source.reconcile.comparison import Comparison
from cogny_source.reconcile.coverage import Coverage
from cogny_source.reconcile.versions import find_aged
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.records.convert import check_keys
from cogny_source.timestamps import parse_instant, shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, Order, Window

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slice:
    """Rows of a window of creation time, as the API lists them.

    Attributes:
        window: The window.
        chunk: Its rows.
        time: The server's clock at the last page (UTC); None if unknown.
    """

    window: Window
    chunk: Chunk
    time: datetime | None


class Scrub:
    """Compares one slice of a resource.

    Args:
        context: Client, endpoint and counters.
        destination: The destination.
        start: Rows created before it are left out.
        guard: The limit on rows to mark deleted.
    """

    def __init__(
        self, context: ReadContext, destination: DestinationReader, start: datetime | None, guard: DeletionGuard
    ) -> None:
        self._context = context
        self._destination = destination
        self._start = start
        self._guard = guard
        self._spec = context.endpoint.table

    def chunks(self, coverage: Coverage, pages: int, now: datetime) -> Generator[Chunk, None, Coverage]:
        """Compare the next slice.

        Args:
            coverage: The scrub's progress.
            pages: About how many pages the slice has; it ends between two creation times.
            now: The server's clock, or this machine's if the API sends no time.

        Yields:
            Rows that are missing or differ, and rows that are gone.

        Returns:
            The coverage afterwards.
        """
        part = self._read(Window(coverage.position or self._start), pages)
        if part is None:
            return self._give_up(coverage)
        seen_at = part.time or now
        with Comparison.with_destination(self._destination, self._spec, part.window) as comparison:
            verdicts = Verdicts(self._context)
            yield self._take_in(part, comparison, verdicts)
            gone = self._find_gone(comparison, part.window)
            confirmed = find_deleted(self._context, gone, comparison.any_listed()) if gone else []
            unsure = gone if confirmed is None else sorted({*gone} - {*confirmed})
            if unsure and not self._is_in_order(part.window):
                return self._give_up(coverage)
            aged = {*unsure} if confirmed is None else find_aged(self._destination, self._spec, unsure, seen_at)
            if aged or verdicts.open:
                again = self._read(part.window, inf)
                if again is None or again.window != part.window:
                    return coverage
                yield self._take_in(again, comparison, verdicts)
                lacked = {*self._find_gone(comparison, part.window)}
                confirmed = sorted(({*(confirmed or ())} | aged) & lacked)
        counts = self._context.counts
        counts.compared_rows += part.chunk.rows
        if confirmed and self._guard.refuses(len(confirmed), max(counts.live_rows or 0, len(confirmed) + 1)):
            logger.warning("%s: %d rows are no longer listed; a census checks them", self._spec.name, len(confirmed))
            return coverage
        if confirmed:
            counts.correct("not listed", len(confirmed))
            yield mark_deleted(self._destination, self._spec, confirmed, seen_at)
        return coverage.advance(part.window.end, seen_at)

    def _give_up(self, coverage: Coverage) -> Coverage:
        logger.info("%s: the API ignores windows of creation time; a census replaces the scrub", self._spec.name)
        return replace(coverage, sliceable=False)

    def _is_in_order(self, window: Window) -> bool:
        """Whether no row of a slice can be listed behind it.

        A list that is always in the order of changes looks as if it were in the order of creation, as long as it
        begins with rows that never changed. Its answer to the descending sort is then its first row.
        """
        if window.end is None:
            return True
        endpoint, context = self._context.endpoint, self._context
        params: Params = {**Window(window.start).params(CREATED), "sort": f"-{CREATED}", "limit": 1}
        try:
            answer = context.client.get(endpoint.path, params, context.meter, scope=endpoint.scope)
        except BadRequest:
            return False
        newest = [parse_instant(row.get(CREATED)) for row in read_page(answer, endpoint.path).rows]
        return any(instant is not None and instant > window.end for instant in newest)

    def _take_in(self, part: Slice, comparison: Comparison, verdicts: Verdicts) -> Chunk:
        verdicts.begin_listing()
        if not part.chunk.tables:
            return Chunk()
        return verdicts.choose(part.chunk, comparison.take_theirs(part.chunk.tables))

    def _find_gone(self, comparison: Comparison, window: Window) -> list[str]:
        return comparison.gone(dated_only=window != Window())

    def _read(self, window: Window, pages: float) -> Slice | None:
        """Read a slice; None if the API ignores the window or the order."""
        cut, time, within = window.end, None, 0
        bound = shift(window.start, -2 * MARGIN_SECONDS) if window.start else None
        read: list[Page] = []
        for page, order in self._list(window):
            check_keys(self._context.endpoint.table, page.rows)
            time = page.server_time or time
            if not order.ascending or any(bound and instant and instant < bound for instant in page.instants(CREATED)):
                return None
            read.append(page)
            self._context.after_page()
            if window.end is not None and order.last and order.last > shift(window.end, MARGIN_SECONDS):
                break
            # If rows are dense, the first pages hold only rows of the margin before the window.
            within += order.last is not None and (window.start is None or order.last > window.start)
            if page.has_more and within >= pages:
                cut = order.last
                break
        return Slice(Window(window.start, cut), self._convert(read, Window(window.start, cut)), time)

    def _list(self, window: Window) -> Iterator[tuple[Page, Order]]:
        """The pages of a window, each with the order so far; resumed at the last row if a cursor expires."""
        endpoint, context, start = self._context.endpoint, self._context, window.start
        while True:
            order = Order()
            params = {**Window(start, window.end).params(CREATED), "sort": CREATED}
            try:
                for page in iter_pages(context.client, endpoint.path, params, context.meter, scope=endpoint.scope):
                    for instant in page.instants(CREATED):
                        order.observe(instant)
                    yield page, order
            except BadRequest as error:
                if order.last is None or (start is not None and order.last <= start):
                    raise
                logger.info("%s; the cursor may have expired, resuming the slice after its last row", error)
                start = order.last
            else:
                return

    def _convert(self, pages: list[Page], window: Window) -> Chunk:
        """The rows of a window; a row without a readable date is only in the window without bounds."""
        builder = ChunkBuilder(self._context.endpoint.table, history=self._context.history)
        for page in pages:
            dated = zip(page.rows, page.instants(CREATED), strict=True)
            builder.add(row for row, at in dated if at in window and (at is not None or window == Window()))
        return builder.build(None)
