"""The first load: by creation time, which never changes, so that pages do not move while they are read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from cogny_source.engine.chunk import Chunk, ChunkBuilder
from cogny_source.engine.listing import Listing
from cogny_source.engine.reading import Reading
from cogny_source.engine.windows import Window
from cogny_source.errors import CognyError
from cogny_source.instants import format_instant, parse_instant

logger = logging.getLogger(__name__)

CREATED = "created_at"
# The state with these windows of a listing left to read.
StateAt = Callable[[list[Window]], dict[str, Any] | None]


def read_window(reading: Reading, window: Window) -> Iterator[Chunk]:
    """Read the rows that were created in a window, without touching the state.

    Yields:
        Chunks of the rows.
    """
    listing = Listing(reading, CREATED, window)
    yield from _read_chunks(listing, lambda _: None)
    yield Chunk(last=True)


def read_backfill(reading: Reading, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read what is left of the first load.

    `state["backfill"]` holds the windows that are left, and the watermark that holds once they are read: the server's
    clock at the first page of all. It is kept over restarts, because rows read before one may have changed since.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state; not changed.

    Yields:
        Chunks, each with the state that holds once it is loaded.
    """
    backfill = state["backfill"]
    windows = [Window(parse_instant(start), parse_instant(end)) for start, end in backfill["windows"]]
    watermark = parse_instant(backfill.get("updated_after"))
    while windows:
        listing = Listing(reading, CREATED, windows[0])
        left = windows[1:]

        yield from _read_chunks(listing, partial(_state_at, state, listing, left, watermark))
        watermark = watermark or listing.server_time
        windows = left


def _state_at(
    state: dict[str, Any], listing: Listing, later: list[Window], watermark: datetime | None, left: list[Window]
) -> dict[str, Any]:
    return _state_with(state, [*left, *later], watermark or listing.server_time)


def _state_with(state: dict[str, Any], windows: list[Window], watermark: datetime | None) -> dict[str, Any]:
    mark = format_instant(watermark) if watermark else None
    rest = {name: value for name, value in state.items() if name != "backfill"}
    if not windows:
        return {**rest, "updated_after": state.get("updated_after") or mark}
    return {**rest, "backfill": {"windows": [_dump_window(window) for window in windows], "updated_after": mark}}


def _dump_window(window: Window) -> list[str | None]:
    return [format_instant(instant) if instant else None for instant in (window.start, window.end)]


def _read_chunks(listing: Listing, state_at: StateAt) -> Iterator[Chunk]:
    reading = listing.reading
    builder = ChunkBuilder(reading.endpoint.table, history=reading.history)
    try:
        for page in listing.pages():
            builder.add(row for row in page.rows if parse_instant(row.get(CREATED)) in listing.window)
            if builder.rows >= reading.chunk_rows and page.has_more:
                listing.prove_order()
                yield builder.build(_cut_state(listing, state_at))
    except CognyError:
        if builder.rows:
            yield builder.build(_cut_state(listing, state_at))
        raise
    yield builder.build(state_at([] if listing.complete else [listing.window]))


def _cut_state(listing: Listing, state_at: StateAt) -> dict[str, Any] | None:
    cut = listing.safe_cut
    if cut is None:
        logger.debug("%s: no safe point to resume at yet", listing.reading.endpoint.path)
        return state_at([listing.window])
    return state_at([Window(cut, listing.window.end)])
