"""The census: compares the whole list of the API with the destination."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from cogny_source.destinations.reader import DestinationReader
from cogny_source.extract.context import ReadContext
from cogny_source.extract.full_scan import FullScan
from cogny_source.extract.lookup import find_confirmed, find_deleted
from cogny_source.extract.plan import DeletionGuard
from cogny_source.reconcile.comparison import Comparison, Differing
from cogny_source.reconcile.orphans import clear_orphans, keep_newest
from cogny_source.reconcile.versions import find_aged, tell_versions
from cogny_source.records.chunk import Chunk, merge_chunks, select_rows
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import DELETED_AT, TableSpec
from cogny_source.windows import Window

logger = logging.getLogger(__name__)


class Census:
    """Loads rows that are missing or differ, and marks rows that the API no longer lists as deleted.

    A row is marked only if its own `GET` says that it does not exist, or a second listing lacks it too. An older
    version replaces a newer one only if the row's `GET` or a second listing confirms it.

    Args:
        context: Client, endpoint and counters.
        destination: The destination.
        start: Rows created before it are left out.
        guard: The limit on rows to mark.

    Attributes:
        roll: The last listing.
        began_at: The server's clock at the first page of the first listing (UTC): what either of them lists counts as
            listed; None if unknown.
        marked: Rows marked deleted; None if the list could not be read completely.
        refused: Rows not marked because they are too many.
        loaded: Rows loaded.
    """

    def __init__(
        self, context: ReadContext, destination: DestinationReader, start: datetime | None, guard: DeletionGuard
    ) -> None:
        self._context = context
        self._destination = destination
        self._start = start
        self._guard = guard
        self._spec = context.endpoint.table
        self._verdicts = Verdicts(context)
        self.roll = FullScan(context, start)
        self.began_at: datetime | None = None
        self.marked: int | None = None
        self.refused = 0
        self.loaded = 0

    def chunks(self) -> Iterator[Chunk]:
        """List everything, once or twice; each chunk must be loaded before the next one is requested."""
        with Comparison.with_destination(self._destination, self._spec, Window(self._start)) as comparison:
            yield from self._call_roll(comparison)
            gone, live = self._find_gone(comparison), comparison.count_live()
            confirmed: list[str] | None = None
            if gone and not self._guard.refuses(len(gone), live):
                confirmed = find_deleted(self._context, gone, comparison.any_listed())
            gone, aged = self._sort_gone(gone, confirmed)
            if (gone and confirmed is None) or aged or self._verdicts.open:
                yield from self._call_roll(comparison)
                gone = sorted({*gone, *aged} & {*self._find_gone(comparison)})
            if self.roll.complete:
                yield from clear_orphans(comparison, self._spec, self._destination)
        if not self.roll.complete:
            logger.warning("%s: the census is incomplete; no row was marked deleted", self._spec.name)
            return
        if self._guard.refuses(len(gone), live):
            self.refused = len(gone)
            return
        yield mark_deleted(self._destination, self._spec, gone, self._ended_at)
        self.marked = len(gone)

    @property
    def _ended_at(self) -> datetime:
        """The end of the last listing by the server's clock, else by this machine's."""
        return self.roll.ended_at or self._context.now()

    def _sort_gone(self, gone: list[str], confirmed: list[str] | None) -> tuple[list[str], set[str]]:
        """Rows that may be marked now, and rows that a second listing must lack too."""
        if confirmed is None:
            return gone, set()
        rest = sorted({*gone} - {*confirmed})
        return confirmed, find_aged(self._destination, self._spec, rest, self._ended_at)

    def _call_roll(self, comparison: Comparison) -> Generator[Chunk, None, None]:
        self.roll = FullScan(self._context, self._start)
        self._verdicts.begin_listing()
        found: list[Chunk] = []
        for chunk in self.roll.chunks():
            if chunk.tables:
                found.append(self._verdicts.choose(chunk, comparison.take_theirs(chunk.tables)))
            if sum(part.rows for part in found) >= self._context.chunk_rows:
                yield self._bring(found)
                found = []
        self.began_at = self.began_at or self.roll.began_at
        yield self._bring(found)

    def _bring(self, found: list[Chunk]) -> Chunk:
        self.loaded += sum(part.rows for part in found)
        return replace(merge_chunks(self._spec, found), last=False)

    def _find_gone(self, comparison: Comparison) -> list[str]:
        return comparison.gone(dated_only=self._start is not None) if self.roll.complete else []


class Verdicts:
    """Decides which differing rows are loaded, over one listing of the rows or two.

    Args:
        context: Client, endpoint and counters.

    Attributes:
        open: Whether a second listing must confirm older versions, because the API returns no single rows.
    """

    def __init__(self, context: ReadContext) -> None:
        self._context = context
        self._listings = 0
        self._seen: dict[str, int] = {}
        self._confirmed: dict[str, int] = {}
        self.open = False

    def begin_listing(self) -> None:
        """Note the beginning of a listing, the first or the second."""
        self._listings += 1
        self.open = False

    def choose(self, chunk: Chunk, differing: Differing) -> Chunk:
        """The rows of a chunk to load."""
        counts = self._context.counts
        refused = self._refuse(differing.older)
        if self._listings == 1:
            counts.correct("missing", differing.missing)
            counts.correct("marked deleted, but listed", differing.marked)
            others = len(differing.keys) - differing.missing - differing.marked - len(differing.older)
            counts.correct("differs", others)
        return select_rows(chunk, self._context.endpoint.table, [key for key in differing.keys if key not in refused])

    def _refuse(self, older: dict[str, int]) -> set[str]:
        asked = {key: stamp for key, stamp in older.items() if self._confirmed.get(key) != stamp}
        if not asked:
            return set()
        confirmed = find_confirmed(self._context, asked)
        if confirmed is None:
            confirmed = {key for key, stamp in asked.items() if self._seen.get(key) == stamp}
            self._seen |= asked
            self.open = self._listings == 1
        refused = asked.keys() - confirmed
        if not self.open:
            self._confirmed |= {key: asked[key] for key in confirmed}
            tell_versions(self._context.endpoint.name, len(refused), len(confirmed))
            self._context.counts.correct("stepped back", len(confirmed))
        return refused


def mark_deleted(destination: DestinationReader, spec: TableSpec, keys: Sequence[str], deleted_at: datetime) -> Chunk:
    """A chunk of rows from the destination, one a key, with `deleted_at`."""
    found = list(destination.read_keys(spec, keys))
    if not found:
        return Chunk()
    rows = keep_newest(pa.concat_tables(found), spec)
    field = arrow_schema(spec.columns).field(DELETED_AT.name)
    instant = pa.scalar(deleted_at, field.type)
    marked = rows.set_column(rows.column_names.index(field.name), field, pa.repeat(instant, len(rows)))
    return Chunk({spec.name: marked}, rows=len(marked))
