"""After a resource was read: the counts of both sides, and the census that explains them."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.arrow import arrow_schema
from cogny_source.engine.chunk import Chunk, merge_chunks
from cogny_source.engine.comparison import Comparison
from cogny_source.engine.counting import note_count
from cogny_source.engine.destination import Destination
from cogny_source.engine.plan import Plan
from cogny_source.engine.reading import Reading
from cogny_source.engine.roll import Roll
from cogny_source.engine.state import State, accepts, note_census
from cogny_source.engine.verification import verify
from cogny_source.errors import ContractError
from cogny_source.instants import parse_instant
from cogny_source.schema import DELETED_AT

logger = logging.getLogger(__name__)


class Settlement:
    """What remains to be done with a resource once it was read.

    Args:
        reading: Client, endpoint and counters; its tally holds the API's count.
        state: The resource's state, as the destination holds it.
        plan: What is asked for.
        destination: Where the resource was loaded.
    """

    def __init__(self, reading: Reading, state: State, plan: Plan, destination: Destination) -> None:
        self._reading = reading
        self._state = state
        self._plan = plan
        self._destination = destination
        self._spec = reading.endpoint.table
        self._start = parse_instant(state.get("start_date"))

    def chunks(self) -> Iterator[Chunk]:
        """Compare the counts, take a census where the plan asks for one, and verify.

        Yields:
            Chunks; each must be loaded before the next is asked for. The last is marked as such.
        """
        tally, name = self._reading.tally, self._spec.name
        self._compare_counts()
        if tally.unexplained_rows == 0:
            self._state = note_census(self._state, 0)
        wanted = tally.unexplained_rows and not accepts(self._state, tally.unexplained_rows)
        if self._plan.census == "always" or (self._plan.census == "auto" and wanted):
            surplus = yield from self._take_census()
            if surplus:
                yield Chunk(state=self._state)
                raise ContractError(
                    f"the API counts {surplus} rows more than it lists, each time anew; should the next run find the"
                    " same, it takes that for the API's way to count",
                    path=self._reading.endpoint.path,
                )
        elif wanted:
            logger.warning("%s: %s", name, describe_difference(tally.unexplained_rows or 0))
        if self._plan.verify:
            tally.differences = verify(self._reading, self._state, self._destination)
        yield Chunk(state=self._state, last=True)

    def _compare_counts(self) -> None:
        """Compare the API's count with the destination's, and with a second count of the API where they differ.

        Rows that came and went while the resource was read explain most differences.
        """
        tally = self._reading.tally
        self._measure()
        if tally.api_rows in (None, tally.live_rows):
            return
        counted_before = tally.api_rows
        if not self._reading.endpoint.whole:
            note_count(self._reading, self._start)
        self._measure(counted_before)

    def _measure(self, counted_before: int | None = None) -> None:
        tally = self._reading.tally
        live, settled = self._destination.count_live(self._spec, self._start, tally.taken_at)
        tally.live_rows, tally.unexplained_rows = live, tally.unexplained(live, settled, counted_before)

    def _take_census(self) -> Generator[Chunk, None, int]:
        """Bring what the destination lacks or holds otherwise, and mark what the API no longer lists.

        Returns:
            How many rows the API counts beyond those that it lists, unless that was accepted before.
        """
        tally, name = self._reading.tally, self._spec.name
        logger.info("%s: taking a census", name)
        roll = Roll(self._reading, self._start)
        with Comparison.with_destination(self._destination, self._spec, self._start) as comparison:
            found: list[Chunk] = []
            for chunk in roll.chunks():
                keys = comparison.take_theirs(chunk.tables) if chunk.tables else []
                found.append(_select(chunk, keys))
                if sum(part.rows for part in found) >= self._reading.chunk_rows:
                    yield replace(merge_chunks(self._spec, found), last=False)
                    found = []
            gone = comparison.gone(dated_only=self._start is not None) if roll.complete else []
        if not roll.complete:
            logger.warning("%s: the census is incomplete; no row was marked deleted", name)
        found.append(self._mark(gone, roll.ended_at or datetime.now(UTC)))
        brought = sum(part.rows for part in found) - len(gone)
        yield replace(merge_chunks(self._spec, found), last=False)
        tally.deleted_rows = len(gone) if roll.complete else None
        if roll.tally.api_rows is not None:
            tally.take(roll.tally.api_rows, roll.tally.taken_at)
        logger.info("%s: the census brought %d rows and marked %d deleted", name, brought, len(gone))
        self._measure()
        if roll.complete:
            self._state = note_census(self._state, tally.unexplained_rows)
            if self._reading.endpoint.whole:
                self._state = {**self._state, "digests": roll.digests}
        if tally.unexplained_rows:
            logger.warning("%s: also after a census, %s", name, describe_difference(tally.unexplained_rows))
        return 0 if accepts(self._state, tally.unexplained_rows or 0) else roll.surplus

    def _mark(self, gone: list[str], deleted_at: datetime) -> Chunk:
        """The rows that are gone, as the destination holds them, with `deleted_at`."""
        schema = arrow_schema(self._spec.columns)
        tables = []
        for table in self._destination.read_keys(self._spec, gone):
            place = table.column_names.index(DELETED_AT.name)
            stamp = pa.repeat(pa.scalar(deleted_at, schema.field(DELETED_AT.name).type), len(table))
            marked = table.set_column(place, schema.field(DELETED_AT.name), stamp)
            tables.append(marked.select(schema.names).cast(schema))
        if not tables:
            return Chunk()
        return Chunk({self._spec.name: pa.concat_tables(tables)}, rows=len(gone))


def describe_difference(unexplained_rows: int) -> str:
    """By how much the counts of both sides differ, as a sentence."""
    if unexplained_rows > 0:
        return f"the API counts {unexplained_rows:,} rows more than the destination holds"
    return f"the API counts {-unexplained_rows:,} rows fewer than the destination holds: they were deleted there"


def _select(chunk: Chunk, keys: list[str]) -> Chunk:
    """The rows of a chunk that have one of some keys."""
    if not keys:
        return Chunk()
    wanted = pa.array(keys, pa.string())
    tables = {name: table.filter(pc.is_in(table.column(0), value_set=wanted)) for name, table in chunk.tables.items()}
    return Chunk(tables, len(keys), chunk.undeclared)
