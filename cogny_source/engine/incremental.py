"""What changed since the watermark, and lists that are read whole."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from cogny_source.api.pages import Page, iter_pages
from cogny_source.arrow import Row, dump_json
from cogny_source.engine.backfill import CREATED
from cogny_source.engine.chunk import Chunk, ChunkBuilder
from cogny_source.engine.listing import MAX_RESTARTS, Listing, Reading
from cogny_source.engine.windows import MARGIN_SECONDS, Window
from cogny_source.errors import BadRequest, CognyError
from cogny_source.instants import format_instant, parse_instant, shift

logger = logging.getLogger(__name__)

UPDATED = "updated_at"
# Without a server's clock, the newest row of a complete listing is the mark, less this much.
CLOCKLESS_OVERLAP_SECONDS = 3600.0


def read_incremental(reading: Reading, state: dict[str, Any], overlap_seconds: float) -> Iterator[Chunk]:
    """Read the rows that changed since the watermark.

    The new watermark is the server's clock at the first page, never the newest `updated_at` read: in a listing that
    is not by update time, that would jump over rows that changed behind the reader.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state; not changed.
        overlap_seconds: How far behind the watermark the pass begins.

    Yields:
        Chunks, each with the state that holds once it is loaded.
    """
    watermark = parse_instant(state.get("updated_after"))
    start = shift(watermark, -overlap_seconds) if watermark else None
    # Rows before the start date are not wanted, however fresh their change.
    created = Window(parse_instant(state.get("start_date")))
    listing = Listing(reading, UPDATED, Window(start))
    observer = _Observer(listing)
    builder = ChunkBuilder(reading.endpoint.table)
    try:
        for page in listing.pages():
            observer.observe(page)
            builder.add(row for row in page.rows if parse_instant(row.get(CREATED)) in created)
            if builder.rows >= reading.chunk_rows and page.has_more:
                yield builder.build(_state_at_cut(listing, state, watermark))
    except CognyError:
        if builder.rows:
            yield builder.build(_state_at_cut(listing, state, watermark))
        raise
    yield builder.build(_final_state(listing, observer, state), last=True)


def read_whole(reading: Reading, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read a short list whole, and load the rows that changed since the last time.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state; `digests` tells each loaded row's content.

    Yields:
        One chunk.
    """
    endpoint = reading.endpoint
    builder = ChunkBuilder(endpoint.table)
    known: dict[str, str] = state.get("digests", {})
    digests = dict(known)
    for page in _list_whole(reading):
        for row in page.rows:
            key, digest = str(row.get("id")), _digest(row)
            if digests.get(key) != digest:
                builder.add([row])
            digests[key] = digest
        reading.after_page()
    yield builder.build({**state, "digests": digests} if digests != known else None, last=True)


def _list_whole(reading: Reading) -> Iterator[Page]:
    """The pages of a list, from its beginning again where a cursor expired."""
    endpoint = reading.endpoint
    for attempt in range(1 + MAX_RESTARTS):
        pages = 0
        try:
            for page in iter_pages(reading.client, endpoint.path, {}, reading.meter, scope=endpoint.scope):
                pages += 1
                yield page
        except BadRequest as error:
            if not pages or attempt == MAX_RESTARTS:
                raise
            logger.warning("%s; the cursor may have expired, the list is read again", error)
        else:
            return


def _digest(row: Row) -> str:
    try:
        text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits, half a surrogate pair
        text = str(dump_json(row)).encode()
    return hashlib.blake2b(text, digest_size=12).hexdigest()


class _Observer:
    """What an incremental listing shows of the API's habits."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.newest: datetime | None = None
        self._told = False

    def observe(self, page: Page) -> None:
        listing = self._listing
        start = listing.window.start
        older = 0
        for row in page.rows:
            instant = parse_instant(row.get(UPDATED))
            if instant is None:
                continue
            self.newest = instant if self.newest is None else max(self.newest, instant)
            older += start is not None and instant < shift(start, -MARGIN_SECONDS)
        if older and not self._told:
            self._told = True
            logger.warning(
                "%s ignores updated_after: each sync lists all %s rows, %s requests",
                listing.reading.endpoint.path,
                listing.total_count if listing.total_count is not None else "its",
                -(-listing.total_count // len(page.rows)) if listing.total_count else "many",
            )


def _state_at_cut(listing: Listing, state: dict[str, Any], watermark: datetime | None) -> dict[str, Any] | None:
    cut = listing.safe_cut
    if cut is None or listing.server_time is None:
        return None
    mark = min(cut, listing.server_time)
    if watermark is not None and mark <= watermark:
        return None
    return {**state, "updated_after": format_instant(mark)}


def _final_state(listing: Listing, observer: _Observer, state: dict[str, Any]) -> dict[str, Any] | None:
    if not listing.complete:
        return None
    mark = listing.server_time
    if mark is None and observer.newest is not None:
        logger.warning(
            "%s tells no time of the server; the watermark stays %d s behind the newest row",
            listing.reading.endpoint.path,
            CLOCKLESS_OVERLAP_SECONDS,
        )
        mark = shift(observer.newest, -CLOCKLESS_OVERLAP_SECONDS)
    if mark is None:
        return None
    return {**state, "updated_after": format_instant(mark)}
