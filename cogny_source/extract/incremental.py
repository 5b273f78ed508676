"""The incremental pass: rows that changed since the watermark."""

from __future__ import annotations

import logging
from collections.abc import Generator
from datetime import datetime
from typing import Any

from cogny_source.api.pagination import Page
from cogny_source.errors import CognyError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.listing import Listing
from cogny_source.extract.lookback import MEMBER as LOOKED_BACK_AT
from cogny_source.extract.lookback import Reach
from cogny_source.extract.unproven import Span, load_spans, note_spans
from cogny_source.records.chunk import Chunk, ChunkBuilder, merge_chunks
from cogny_source.timestamps import format_instant, parse_instant, shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, UPDATED, Window

logger = logging.getLogger(__name__)

# Without a server's clock, the watermark is the newest row of a complete listing minus this.
CLOCKLESS_OVERLAP_SECONDS = 3600.0


def read_incremental(
    context: ReadContext, state: dict[str, Any], reach: Reach, held: Chunk | None = None
) -> Generator[Chunk, None, tuple[dict[str, Any], datetime | None]]:
    """Read the rows that changed since the watermark.

    The new watermark is the server's clock at the first page, never the newest `updated_at`: in a listing with another
    order, that would skip rows that changed behind the reader.

    Args:
        context: Client, endpoint and counters.
        state: The resource's state; not changed.
        reach: How far before the watermark the pass begins.
        held: The chunk before the pass; it is merged with the rows of a single page, as a load costs half a second.

    Yields:
        Chunks, each with the state to commit with it.

    Returns:
        The state after the pass, and the newest `updated_at` of its rows; None without rows.
    """
    watermark = parse_instant(state.get("updated_after"))
    start = shift(watermark, -reach.seconds) if watermark else None
    # Rows before the start date are left out, however recent their change.
    created = Window(parse_instant(state.get("start_date")))
    listing = Listing(context, UPDATED, Window(start))
    observer = _Observer(listing)
    builder = ChunkBuilder(context.endpoint.table, history=context.history)
    reached = state
    try:
        for page in listing.pages():
            if held is not None and page.has_more:
                yield held
                held = None
            observer.observe(page)
            builder.add(created.clip(page.rows, page.instants(CREATED)))
            if builder.is_full(context.chunk_rows) and page.has_more:
                listing.prove_order()
                cut_state = _state_at_cut(listing, state, watermark)
                reached = cut_state or reached
                yield builder.build(cut_state)
    except CognyError:
        if held is not None:
            yield held
        if builder.rows:
            yield builder.build(_state_at_cut(listing, state, watermark))
        raise
    chunk = builder.build(_final_state(listing, observer, state, reach), last=True)
    yield chunk if held is None else merge_chunks(context.endpoint.table, [held, chunk])
    return chunk.state or reached, observer.newest


class _Observer:
    """Facts about the API that an incremental listing shows."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.newest: datetime | None = None
        self._told = False

    def observe(self, page: Page) -> None:
        listing = self._listing
        start = listing.window.start
        older = 0
        for instant in page.instants(UPDATED):
            if instant is None:
                continue
            self.newest = instant if self.newest is None else max(self.newest, instant)
            older += start is not None and instant < shift(start, -MARGIN_SECONDS)
        if older and not self._told:
            self._told = True
            total = listing.total_count
            logger.warning(
                "%s ignores updated_after: each sync lists all %s",
                listing.context.endpoint.path,
                f"{total} rows, {-(-total // len(page.rows))} requests" if total is not None else "its rows",
            )


def _state_at_cut(listing: Listing, state: dict[str, Any], watermark: datetime | None) -> dict[str, Any] | None:
    cut = listing.safe_cut
    if cut is None or listing.mark is None:
        return None
    mark = min(cut, listing.mark)
    if watermark is not None and mark <= watermark:
        return None
    read = Span(UPDATED, Window(listing.window.start, mark), listing.server_time)
    return note_spans({**state, "updated_after": format_instant(mark)}, [*load_spans(state), read])


def _final_state(listing: Listing, observer: _Observer, state: dict[str, Any], reach: Reach) -> dict[str, Any] | None:
    if not listing.complete:
        return None
    mark = listing.mark
    if mark is None and observer.newest is not None:
        logger.warning(
            "%s sends no server time; the watermark stays %d s behind the newest row",
            listing.context.endpoint.path,
            CLOCKLESS_OVERLAP_SECONDS,
        )
        # A row with a timestamp in the future must not hide changes until then.
        mark = shift(min(observer.newest, listing.context.now()), -CLOCKLESS_OVERLAP_SECONDS)
    if mark is None:
        return None
    reached = {**state, "updated_after": format_instant(mark)}
    return {**reached, LOOKED_BACK_AT: reached["updated_after"]} if reach.notes else reached
