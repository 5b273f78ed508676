"""A full scan: reads all rows of a resource in chunks, and says whether the list was complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.extract.context import ReadContext, RowCounts
from cogny_source.extract.full_table import list_full_table, note_digest
from cogny_source.extract.listing import Listing
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.windows import CREATED, Window


class FullScan:
    """Reads all rows of a resource, without changing its state.

    Args:
        context: Client, endpoint and counters; the scan has its own counts.
        start: Rows created before it are left out.

    Attributes:
        complete: Whether each row that existed during the whole scan was listed; False until the end.
        began_at: The server's clock at the first page (UTC); None if unknown.
        ended_at: The server's clock at the last page (UTC); None if unknown.
        surplus: How many rows the API repeatedly counts but does not list.
        counts: The row counts at the first page.
        digests: For a full-table list: each row's digest.
    """

    def __init__(self, context: ReadContext, start: datetime | None) -> None:
        self.counts = RowCounts()
        self._context = replace(context, counts=self.counts)
        self._window = Window(start)
        self.complete = False
        self.surplus = 0
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.digests: dict[str, str] = {}

    def chunks(self) -> Iterator[Chunk]:
        """Read all rows; a row may come more than once, with its newest version last."""
        if self._context.endpoint.whole:
            yield from self._read_full_table()
            return
        listing = Listing(self._context, CREATED, self._window)
        yield from self._read(listing)
        if listing.total_count is None and self.counts.api_rows is None:
            # Without a count, only a second listing shows which rows slipped between pages of the first.
            yield from self._read(Listing(self._context, CREATED, self._window))

    def _read(self, listing: Listing) -> Iterator[Chunk]:
        builder = self._make_builder()
        for page in listing.pages():
            self.began_at = self.began_at or page.server_time
            builder.add(self._window.clip(page.rows, page.instants(CREATED)))
            if builder.is_full(self._context.chunk_rows):
                yield builder.build(None)
        yield builder.build(None)
        self.complete, self.ended_at = listing.complete and not listing.cut_short, listing.latest_time
        self.surplus = listing.surplus

    def _read_full_table(self) -> Iterator[Chunk]:
        builder = self._make_builder()
        for page in list_full_table(self._context):
            builder.add(row for row in page.rows if note_digest(self.digests, row))
            self.began_at = self.began_at or page.server_time
            self.ended_at = page.server_time
            self.surplus = max(0, (page.total_count or 0) - len(self.digests))
            self._context.after_page()
        yield builder.build(None)
        self.counts.take(len(self.digests) + self.surplus, self.began_at)
        self.complete = True

    def _make_builder(self) -> ChunkBuilder:
        return ChunkBuilder(self._context.endpoint.table, history=self._context.history)
