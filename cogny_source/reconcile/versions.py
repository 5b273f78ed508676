"""What is loaded over rows that are there: never an older version on the word of one listing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.destinations.session import DestinationSession
from cogny_source.extract.context import ReadContext
from cogny_source.extract.lookup import find_confirmed
from cogny_source.reconcile.comparison import Comparison
from cogny_source.records.chunk import Chunk, select_rows
from cogny_source.schema import TableSpec
from cogny_source.timestamps import shift
from cogny_source.windows import UPDATED, Window

logger = logging.getLogger(__name__)

# A copy of the API's database lags by seconds or minutes; a listing that is older still is a backup put back.
LAG_SECONDS = 48 * 3600.0


class VersionGuard:
    """Holds chunks against the rows that the destination has, before they are loaded.

    Args:
        reading: Client, endpoint and counters.
        destination: Where the chunks are loaded.
        settled_before: Changes before this instant should have come with an earlier sync; None where the pass does not
            look back that far. Of those, only what the destination lacks is loaded, and counted as late.
    """

    def __init__(self, reading: ReadContext, destination: DestinationSession, settled_before: datetime | None) -> None:
        self._reading = reading
        self._destination = destination
        self._settled_before = settled_before
        self._spec = reading.endpoint.table

    def admit(self, chunk: Chunk) -> Chunk:
        """The chunk without rows that the destination holds in a newer version, unless the API confirms the older."""
        if not chunk.tables:
            return chunk
        if self._reading.endpoint.whole:
            return self._sort_out_known(chunk)
        table = chunk.tables[self._spec.name]
        oldest = pc.min(table[UPDATED]).as_py()
        if oldest is None:
            return chunk
        if self._settled_before is None:
            oldest = max(oldest, shift(self._reading.tally.taken_at or datetime.now(UTC), -LAG_SECONDS))
        held = self._destination.read_stamps(self._spec, oldest)
        ours = _align(table[self._spec.key], held, self._spec.key)
        stamps = table[UPDATED].cast(pa.int64())
        older = pc.fill_null(pc.less(stamps, ours), False)
        # The older version was seen, and stays for the history.
        chunk = drop_rows(
            chunk, self._spec, self._refuse(table[self._spec.key].filter(older), stamps.filter(older)), history=True
        )
        if self._settled_before is None:
            return chunk
        there = self._sort_out_settled(table, pc.fill_null(pc.equal(stamps, ours), False), older)
        return drop_rows(chunk, self._spec, there)

    def _sort_out_known(self, chunk: Chunk) -> Chunk:
        """The rows of a list that is read whole which the destination lacks or holds otherwise."""
        if not self._destination.has_columns(self._spec):
            return chunk
        with Comparison.with_destination(self._destination, self._spec, Window()) as comparison:
            keys = comparison.take_theirs(chunk.tables).keys
            self._reading.tally.unlisted_rows = len(comparison.gone(dated_only=False))
        return replace(select_rows(chunk, self._spec, keys), state=chunk.state, last=chunk.last)

    def _refuse(self, keys: pa.ChunkedArray, stamps: pa.ChunkedArray) -> list[str]:
        """The keys of older versions that the API does not confirm row by row."""
        if not len(keys):
            return []
        versions = dict(zip(keys.to_pylist(), stamps.to_pylist(), strict=True))
        confirmed = find_confirmed(self._reading, versions) or set()
        refused = sorted(versions.keys() - confirmed)
        tell_versions(self._spec.name, len(refused), len(confirmed))
        self._reading.tally.correct("stepped back", len(confirmed))
        return refused

    def _sort_out_settled(self, table: pa.Table, same: pa.ChunkedArray, older: pa.ChunkedArray) -> list[str]:
        """Of rows that an earlier sync should have brought: the keys of those that are there; the others are late."""
        settled = pc.fill_null(pc.less(table[UPDATED], pa.scalar(self._settled_before, table[UPDATED].type)), False)
        late = pc.sum(pc.and_not(settled, pc.or_(same, older))).as_py() or 0
        if late:
            logger.warning(
                "%s: %d changes became visible later than overlap_seconds after their time; they are loaded now",
                self._spec.name,
                late,
            )
        self._reading.tally.correct("late", late)
        there: list[str] = table[self._spec.key].filter(pc.and_(settled, same)).to_pylist()
        return there


def find_aged(destination: DestinationSession, spec: TableSpec, keys: Sequence[str], now: datetime | None) -> set[str]:
    """Which rows were there so long ago that no list can lack them because it lags.

    An API that keeps deleted rows gives them by themselves still; such a row is gone where two listings lack it. One
    without a time of creation was there when it last changed, and one without any time at all was there before.

    Args:
        destination: Where they are loaded.
        spec: Their table.
        keys: Their keys.
        now: The server's clock; None for this machine's.
    """
    latest = shift(now or datetime.now(UTC), -LAG_SECONDS)
    aged: set[str] = set()
    for table in destination.read_keys(spec, keys):
        there = pc.coalesce(table["created_at"], table[UPDATED])
        aged |= {*table[spec.key].filter(pc.fill_null(pc.less(there, latest), True)).to_pylist()}
    return aged


def tell_versions(name: str, refused: int, confirmed: int) -> None:
    """Say how many older versions came, and what became of them."""
    if refused:
        logger.warning("%s: %d rows came in an older version than is loaded; the newer one stays", name, refused)
    if confirmed:
        logger.warning("%s: %d rows went back to an older version, as the API confirms", name, confirmed)


def drop_rows(chunk: Chunk, spec: TableSpec, keys: list[str], *, history: bool = False) -> Chunk:
    """A chunk without the rows of some keys.

    Args:
        chunk: The chunk.
        spec: The table of its rows.
        keys: The keys.
        history: Whether what the chunk holds of them for the table of versions is kept.
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


def _align(keys: pa.ChunkedArray, held: pa.Table | None, key: str) -> pa.Array:
    """The destination's `updated_at` of each key, in microseconds since 1970; null where it has none."""
    if held is None:
        return pa.nulls(len(keys), pa.int64())
    places = pc.index_in(keys, value_set=held[key].combine_chunks().cast(keys.type))
    stamps = held[UPDATED].combine_chunks().cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return stamps.take(places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places)
