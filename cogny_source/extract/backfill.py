"""The first load, by creation time: it never changes, so that pages do not move while they are read."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from cogny_source.api.pagination import PAGE_ROWS
from cogny_source.errors import CognyError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.listing import Listing
from cogny_source.extract.parallel import StateAt, WindowPool, count_readers, is_worthwhile
from cogny_source.extract.unproven import Span, load_spans, note_spans
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.timestamps import format_instant, parse_instant
from cogny_source.windows import CREATED, Window

logger = logging.getLogger(__name__)

# Parallel readers start within the first pages, or not at all.
SHARED_WITHIN_ROWS = 4 * PAGE_ROWS
# The first chunk is small: the next one is read while the destination makes the tables.
FIRST_CHUNK_ROWS = 2_000
# Arguments: the windows left to read, the windows read by a listing that has not ended, and the server's clock at the
# first page. Returns the state.
StateWith = Callable[[list[Window], list[Window], datetime | None], dict[str, Any] | None]


def read_window(context: ReadContext, window: Window, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read the rows that were created in a window, without changing the state.

    Args:
        context: Client, endpoint and counters.
        window: The window.
        state: The resource's state, which the last chunk commits unchanged, with the rows' origin.

    Yields:
        Chunks of the rows.
    """
    yield from _read_windows(context, [window], lambda *_: None)
    yield Chunk(state=state, last=True)


def read_backfill(context: ReadContext, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read the rest of the first load.

    `state["backfill"]` holds the windows that are left, and the watermark after them: the server's clock at the very
    first page. Restarts keep it, because rows that were read before may have changed since.

    Args:
        context: Client, endpoint and counters.
        state: The resource's state; not changed.

    Yields:
        Chunks, each with the state to commit with it.
    """
    backfill = state["backfill"]
    windows = [Window(parse_instant(start), parse_instant(end)) for start, end in backfill["windows"]]
    known = parse_instant(backfill.get("updated_after"))
    spans = load_spans(state)

    def state_with(left: list[Window], read: list[Window], first: datetime | None) -> dict[str, Any]:
        counts = context.counts
        fresh = [Span(CREATED, window, counts.taken_at, counts.api_rows) for window in read]
        return note_spans(_state_with(state, left, known or first), [*spans, *fresh])

    yield from _read_windows(context, windows, state_with)


def _state_with(state: dict[str, Any], windows: list[Window], watermark: datetime | None) -> dict[str, Any]:
    mark = format_instant(watermark) if watermark else None
    rest = {name: value for name, value in state.items() if name != "backfill"}
    if not windows:
        return {**rest, "updated_after": state.get("updated_after") or mark}
    return {**rest, "backfill": {"windows": [_dump_window(window) for window in windows], "updated_after": mark}}


def _dump_window(window: Window) -> list[str | None]:
    return [format_instant(instant) if instant else None for instant in (window.start, window.end)]


def _read_windows(context: ReadContext, windows: list[Window], state_at: StateWith) -> Iterator[Chunk]:
    """Read windows one after the other, or in parallel if that is faster and the API honours them."""
    first: Listing | None = None
    unfinished: list[Window] = []
    while windows:
        listing = Listing(context, CREATED, windows[0])
        first = first or listing
        state_now = partial(_state_of_all, state_at, first, unfinished)
        windows, honoured = yield from _read_listing(listing, windows[1:], state_now, unfinished)
        if not honoured:
            context = replace(context, workers=1)


def _state_of_all(
    state_at: StateWith, first: Listing, unfinished: list[Window], left: list[Window], read: list[Window]
) -> dict[str, Any] | None:
    return state_at([*unfinished, *left], read, first.mark)


def _read_listing(
    listing: Listing, later: list[Window], state_at: StateAt, unfinished: list[Window]
) -> Generator[Chunk, None, tuple[list[Window], bool]]:
    """Read a listing in chunks; if it is long, in parallel with the windows after it.

    Args:
        listing: The listing.
        later: The windows after it.
        state_at: Makes the state with given windows left.
        unfinished: Collects the windows in which the API listed fewer rows than it counts.

    Returns:
        The windows that are left to read, and whether the API honours windows.
    """
    context = listing.context
    builder = ChunkBuilder(context.endpoint.table, history=context.history)
    honoured, full_at = True, min(context.chunk_rows, FIRST_CHUNK_ROWS)
    rows, asked, fetch_seconds = 0, context.stopwatch(), math.inf
    try:
        for page in listing.pages():
            fetch_seconds = min(fetch_seconds, context.stopwatch() - asked)
            builder.add(listing.window.clip(page.rows, page.instants(CREATED)))
            rows += len(page.rows)
            # The time of the first answer includes connecting, and rows read by then are read again.
            early = honoured and len(page.rows) < rows <= SHARED_WITHIN_ROWS
            size = count_readers(context, fetch_seconds) if early and is_worthwhile(listing, page, rows) else 1
            if size > 1 and listing.prove_order():
                crew = WindowPool(listing, later, size, state_at)
                yield from crew.chunks(builder)
                if crew.honoured:
                    unfinished += crew.unfinished
                    return [], True
                honoured = False
            if builder.is_full(full_at) and page.has_more:
                full_at = context.chunk_rows
                listing.prove_order()
                yield builder.build(_cut_state(listing, later, state_at))
            asked = context.stopwatch()
    except CognyError:
        if builder.rows:
            yield builder.build(_cut_state(listing, later, state_at))
        raise
    if not listing.complete:
        unfinished.append(listing.window)
    yield builder.build(state_at(later, []))
    return later, honoured


def _cut_state(listing: Listing, later: list[Window], state_at: StateAt) -> dict[str, Any] | None:
    cut = listing.safe_cut
    if cut is None:
        logger.debug("%s: no safe point to resume at yet", listing.context.endpoint.path)
        return state_at([listing.window, *later], [])
    return state_at([Window(cut, listing.window.end), *later], [Window(listing.window.start, cut)])
