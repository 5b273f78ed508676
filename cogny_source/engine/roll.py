"""The roll: everything that the API lists of a resource, in chunks, and whether nothing can have slipped out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.engine.chunk import Chunk, ChunkBuilder
from cogny_source.engine.listing import Listing
from cogny_source.engine.reading import Reading, Tally
from cogny_source.engine.whole import list_whole, note_digest
from cogny_source.engine.windows import CREATED, Window


class Roll:
    """Reads a resource from its first row to its last, without touching its state.

    Args:
        reading: Client, endpoint and counters; the roll has a tally of its own.
        start: Rows created before it are left out.

    Attributes:
        complete: Whether every row that was there all the while has come; False until the end.
        began_at: The server's clock at the first page (UTC); None where it is not told.
        ended_at: The server's clock at the last page (UTC); None where it is not told.
        surplus: How many rows the API counts beyond those that it lists, time and again.
        tally: What the API counted at the first page.
        digests: Of a list that is read whole: each row's content.
    """

    def __init__(self, reading: Reading, start: datetime | None) -> None:
        self.tally = Tally()
        self._reading = replace(reading, tally=self.tally)
        self._window = Window(start)
        self.complete = False
        self.surplus = 0
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.digests: dict[str, str] = {}

    def chunks(self) -> Iterator[Chunk]:
        """Read everything; rows may come more than once, the newest version last."""
        if self._reading.endpoint.whole:
            yield from self._read_whole()
            return
        listing = Listing(self._reading, CREATED, self._window)
        yield from self._read(listing)
        if listing.total_count is None and self.tally.api_rows is None:
            # Without the API's count only a second listing tells which rows slipped between the first one's pages.
            yield from self._read(Listing(self._reading, CREATED, self._window))

    def _read(self, listing: Listing) -> Iterator[Chunk]:
        builder = self._make_builder()
        for page in listing.pages():
            self.began_at = self.began_at or page.server_time
            builder.add(self._window.clip(page.rows, page.instants(CREATED)))
            if builder.is_full(self._reading.chunk_rows):
                yield builder.build(None)
        yield builder.build(None)
        self.complete, self.ended_at = listing.complete and not listing.cut_short, listing.latest_time
        self.surplus = listing.surplus

    def _read_whole(self) -> Iterator[Chunk]:
        builder = self._make_builder()
        for page in list_whole(self._reading):
            builder.add(row for row in page.rows if note_digest(self.digests, row))
            self.began_at = self.began_at or page.server_time
            self.ended_at = page.server_time
            self.surplus = max(0, (page.total_count or 0) - len(self.digests))
            self._reading.after_page()
        yield builder.build(None)
        self.tally.take(len(self.digests) + self.surplus, self.began_at)
        self.complete = True

    def _make_builder(self) -> ChunkBuilder:
        return ChunkBuilder(self._reading.endpoint.table, history=self._reading.history)
