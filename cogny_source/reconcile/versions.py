"""Keeps older versions from replacing newer rows on the evidence of a single listing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.destinations.reader import DestinationReader
from cogny_source.extract.context import ReadContext
from cogny_source.extract.lookup import find_confirmed
from cogny_source.reconcile.comparison import Comparison
from cogny_source.records.chunk import Chunk, select_rows
from cogny_source.schema import TableSpec
from cogny_source.timestamps import shift
from cogny_source.windows import UPDATED, Window

logger = logging.getLogger(__name__)

# A replica of the API's database lags by seconds or minutes; an older listing means a restored backup.
LAG_SECONDS = 48 * 3600.0


class VersionGuard:
    """Compares chunks with the destination's rows before they are loaded.

    Args:
        context: Client, endpoint and counters.
        destination: The destination.
        settled_before: Changes before this instant should have come with an earlier sync: they are loaded only if the
            destination lacks them, and are counted as late. None if the pass does not reach back that far.
    """

    def __init__(self, context: ReadContext, destination: DestinationReader, settled_before: datetime | None) -> None:
        self._context = context
        self._destination = destination
        self._settled_before = settled_before
        self._spec = context.endpoint.table

    def admit(self, chunk: Chunk) -> Chunk:
        """The chunk without rows that are newer in the destination, unless the API confirms the older version."""
        if not chunk.tables:
            return chunk
        if self._context.endpoint.whole:
            return self._sort_out_known(chunk)
        table = chunk.tables[self._spec.name]
        oldest = pc.min(table[UPDATED]).as_py()
        if oldest is None:
            return chunk
        if self._settled_before is None:
            oldest = max(oldest, shift(self._context.counts.taken_at or self._context.now(), -LAG_SECONDS))
        held = self._destination.read_stamps(self._spec, oldest)
        ours = _align(table[self._spec.key], held, self._spec.key)
        stamps = table[UPDATED].cast(pa.int64())
        older = pc.fill_null(pc.less(stamps, ours), False)
        # The older version existed, and stays in the history.
        chunk = drop_rows(
            chunk, self._spec, self._refuse(table[self._spec.key].filter(older), stamps.filter(older)), history=True
        )
        same = pc.fill_null(pc.equal(stamps, ours), False)
        settled = [] if self._settled_before is None else self._sort_out_settled(table, same, older)
        self._context.counts.unchanged_rows += (pc.sum(same).as_py() or 0) - len(settled)
        return drop_rows(chunk, self._spec, settled)

    def _sort_out_known(self, chunk: Chunk) -> Chunk:
        """The rows of a full-table list that are missing in the destination or differ."""
        if not self._destination.has_columns(self._spec):
            return chunk
        with Comparison.with_destination(self._destination, self._spec, Window()) as comparison:
            keys = comparison.take_theirs(chunk.tables).keys
            self._context.counts.unlisted_rows = len(comparison.gone(dated_only=False))
        return replace(select_rows(chunk, self._spec, keys), state=chunk.state, last=chunk.last)

    def _refuse(self, keys: pa.ChunkedArray, stamps: pa.ChunkedArray) -> list[str]:
        """The keys of older versions that the API does not confirm row by row."""
        if not len(keys):
            return []
        versions = dict(zip(keys.to_pylist(), stamps.to_pylist(), strict=True))
        confirmed = find_confirmed(self._context, versions) or set()
        refused = sorted(versions.keys() - confirmed)
        tell_versions(self._spec.name, len(refused), len(confirmed))
        self._context.counts.correct("stepped back", len(confirmed))
        return refused

    def _sort_out_settled(self, table: pa.Table, same: pa.ChunkedArray, older: pa.ChunkedArray) -> list[str]:
        """The keys of settled rows that the destination has; the others are late."""
        settled = pc.fill_null(pc.less(table[UPDATED], pa.scalar(self._settled_before, table[UPDATED].type)), False)
        late = pc.sum(pc.and_not(settled, pc.or_(same, older))).as_py() or 0
        if late:
            logger.warning(
                "%s: %d changes became visible later than overlap_seconds after their time; they are loaded now",
                self._spec.name,
                late,
            )
        self._context.counts.correct("late", late)
        there: list[str] = table[self._spec.key].filter(pc.and_(settled, same)).to_pylist()
        return there


def find_aged(destination: DestinationReader, spec: TableSpec, keys: Sequence[str], now: datetime) -> set[str]:
    """The rows that are too old for a lagging list to lack them.

    An API that keeps deleted rows may still return them one by one; such a row is gone if two listings lack it. The
    age of a row without `created_at` counts from its last change; a row without any timestamp is old.

    Args:
        destination: The destination.
        spec: Their table.
        keys: Their keys.
        now: The server's clock, or this machine's.
    """
    latest = shift(now, -LAG_SECONDS)
    aged: set[str] = set()
    for table in destination.read_keys(spec, keys):
        there = pc.coalesce(table["created_at"], table[UPDATED])
        aged |= {*table[spec.key].filter(pc.fill_null(pc.less(there, latest), True)).to_pylist()}
    return aged


def tell_versions(name: str, refused: int, confirmed: int) -> None:
    """Log how many older versions came, and what was done with them."""
    if refused:
        logger.warning("%s: %d rows came in an older version than the loaded one, which stays", name, refused)
    if confirmed:
        logger.warning("%s: %d rows went back to an older version, as the API confirms", name, confirmed)


def drop_rows(chunk: Chunk, spec: TableSpec, keys: list[str], *, history: bool = False) -> Chunk:
    """A chunk without the rows of given keys.

    Args:
        chunk: The chunk.
        spec: The table of its rows.
        keys: The keys.
        history: Whether to keep their versions for the table of versions.
    """
    if not keys:
        return chunk
    unwanted = pa.array(keys, pa.string())
    kept = {spec.versions.name} if history and spec.versions is not None else set()
    tables = {
        name: table if name in kept else table.filter(pc.invert(pc.is_in(table[key], value_set=unwanted)))
        for name, key in spec.row_keys.items()
        if (table := chunk.tables.get(name)) is not None
    }
    return replace(chunk, tables=tables if any(map(len, tables.values())) else {}, rows=len(tables[spec.name]))


def _align(keys: pa.ChunkedArray, held: pa.Table | None, key: str) -> pa.Array | pa.ChunkedArray:
    """The destination's `updated_at` of each key, in microseconds since 1970; null if it has none."""
    if held is None:
        return pa.nulls(len(keys), pa.int64())
    places = pc.index_in(keys, value_set=held[key].combine_chunks().cast(keys.type))
    stamps = held[UPDATED].combine_chunks().cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return stamps.take(places)
