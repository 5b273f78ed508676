"""After a resource was read: the counts of both sides, and what explains or mends their difference."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import ContractError, MassDeletion
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import note_count
from cogny_source.extract.full_table import digest_list, note_list
from cogny_source.extract.incremental import read_incremental
from cogny_source.extract.lookback import reach_back
from cogny_source.extract.plan import Plan
from cogny_source.extract.state import State, accepts, note_census, note_refusal, remembers_refusal
from cogny_source.formatting import count
from cogny_source.reconcile.census import Census
from cogny_source.reconcile.coverage import Coverage, count_pages, find_compared_since, load_coverage, note_coverage
from cogny_source.reconcile.scrub import Scrub
from cogny_source.reconcile.verification import verify
from cogny_source.reconcile.versions import VersionGuard
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)

# A count may lag behind a deletion; it is asked again after so many seconds before a run fails for it.
COUNT_AGAIN_SECONDS = (1.0, 2.0, 4.0)
# A slice is held in memory; several make up what a sync may compare.
SLICE_PAGES = 100


class Reconciliation:
    """What remains to be done with a resource once it was read.

    Args:
        reading: Client, endpoint and counters; its tally holds the API's count.
        state: The resource's state, as the destination holds it.
        plan: What is asked for.
        destination: Where the resource was loaded.
        loaded_since: Every row was read at this instant or later, by the server's clock, where the run was, or ended, a
            first load or a full refresh.
    """

    def __init__(
        self,
        reading: ReadContext,
        state: State,
        plan: Plan,
        destination: DestinationSession,
        loaded_since: datetime | None = None,
    ) -> None:
        self._reading = reading
        self._state = state
        self._plan = plan
        self._destination = destination
        self._spec = reading.endpoint.table
        self._start = parse_instant(state.get("start_date"))
        self._loaded_since = loaded_since

    def chunks(self) -> Iterator[Chunk]:
        """Compare the counts, take a census where the plan asks for one, and verify.

        Yields:
            Chunks; each must be loaded before the next is asked for. The last is marked as such.
        """
        tally, name = self._reading.tally, self._spec.name
        missed = self._compare_counts()
        if missed:
            yield from self._look_again()
            missed = self._compare_counts()
        if tally.unexplained_rows == 0:
            self._state = note_census(self._state, 0)
        wanted = (
            missed
            or tally.unlisted_rows
            or (tally.unexplained_rows and not accepts(self._state, tally.unexplained_rows))
        )
        if self._plan.census == "always" or (self._plan.census == "auto" and wanted):
            yield from self._take_census()
        elif wanted:
            logger.warning("%s: %s", name, describe_difference(tally.unexplained_rows or 0))
        if not self._reading.endpoint.whole and self._plan.census != "never":
            yield from self._scrub()
        if self._plan.verify:
            tally.differences = verify(self._reading, self._state, self._destination)
        tally.compared_since = find_compared_since(self._state)
        yield Chunk(state=self._state, last=True)

    def _scrub(self) -> Generator[Chunk, None, None]:
        """Hold the next slice of the table against the API, as far as the rate limit leaves room for it."""
        tally, plan = self._reading.tally, self._plan
        # Where the API tells no time, this machine's says how long ago the last slice was.
        now = tally.taken_at or datetime.now(UTC)
        coverage = load_coverage(self._state)
        if coverage is None:
            coverage = Coverage.of_all(self._loaded_since, now)
        coverage = coverage.as_of(now)
        # Rows without a time of creation are in no slice.
        sliceable = coverage.sliceable and (self._start is not None or not tally.undated_rows)
        limit = self._reading.requests_per_minute()
        asked = replace(coverage, sliceable=sliceable)
        pages = count_pages(asked, tally.live_rows or 0, now, plan.scrub_share, limit)
        if pages and not sliceable:
            yield from self._take_census()
            return
        scrub = Scrub(self._reading, self._destination, self._start, plan.deletions)
        while pages > 0 and coverage.sliceable:
            spare = self._reading.spare_requests()
            part = min(pages, SLICE_PAGES, SLICE_PAGES if spare is None else spare)
            if part <= 0:
                break
            before = coverage
            coverage = yield from scrub.chunks(coverage, part, now)
            pages = 0 if coverage == before or coverage.position is None else pages - part
        self._state = note_coverage(self._state, coverage)

    def _compare_counts(self) -> bool:
        """Compare the API's count with the destination's, and with a second count of the API where they differ.

        Rows that came and went while the resource was read explain most differences.

        Returns:
            Whether the destination lacks the row that came with the first count, or holds it in an older version.
        """
        tally = self._reading.tally
        missed = self._measure()
        if tally.api_rows in (None, tally.live_rows):
            return missed
        counted_before = tally.api_rows
        if not self._reading.endpoint.whole:
            note_count(self._reading, self._start)
        self._measure(counted_before)
        return missed

    def _measure(self, counted_before: int | None = None) -> bool:
        tally = self._reading.tally
        key, version = tally.sample or (None, None)
        live = self._destination.count_live(self._spec, self._start, tally.taken_at, key)
        tally.live_rows, tally.undated_rows = live.rows, live.undated
        tally.unexplained_rows = tally.unexplained(live.rows, live.settled, counted_before)
        return version is not None and (live.updated_at is None or live.updated_at < version)

    def _look_again(self) -> Generator[Chunk, None, None]:
        """Read the changes again, from before the one that the list of changes did not bring."""
        watermark, sample = parse_instant(self._state.get("updated_after")), self._reading.tally.sample
        if watermark is None or sample is None:
            return
        logger.warning("%s: the list of changes lacked one that the API counts; it is read again", self._spec.name)
        behind = (watermark - sample[1]).total_seconds() + self._plan.overlap_seconds
        reach = reach_back(watermark, self._plan, max(behind, self._plan.lookback_seconds))
        guard = VersionGuard(self._reading, self._destination, reach.settled_before)
        for chunk in read_incremental(self._reading, self._state, reach):
            self._state = chunk.state or self._state
            yield replace(guard.admit(chunk), last=False)

    def _take_census(self) -> Generator[Chunk, None, None]:
        tally, name = self._reading.tally, self._spec.name
        if self._plan.census == "auto" and not self._plan.deletions.accepted:
            self._refuse_again()
        logger.info("%s: taking a census", name)
        census = Census(self._reading, self._destination, self._start, self._plan.deletions)
        yield from census.chunks()
        tally.deleted_rows, roll = census.marked, census.roll
        if roll.tally.api_rows is not None:
            tally.take(roll.tally.api_rows, roll.tally.taken_at)
        logger.info("%s: the census brought %d rows and marked %d deleted", name, census.brought, census.marked or 0)
        self._measure()
        if census.refused:
            self._state = note_refusal(self._state, tally.api_rows)
            yield Chunk(state=self._state)
            raise self._mass_deletion(census.refused, tally.live_rows or 0)
        self._state = note_refusal(self._state, None)
        if roll.surplus:
            self._count_again()
        if roll.complete:
            self._state = note_census(self._state, tally.unexplained_rows)
            if self._reading.endpoint.whole:
                self._state = note_list(self._state, digest_list(roll.digests), roll.ended_at) or self._state
                tally.digests, tally.unlisted_rows = roll.digests, 0
            else:
                known, began_at = load_coverage(self._state), roll.began_at
                sliceable = known is None or known.sliceable
                self._state = note_coverage(self._state, Coverage.of_all(began_at, began_at, sliceable=sliceable))
        if tally.unexplained_rows:
            logger.warning("%s: also after a census, %s", name, describe_difference(tally.unexplained_rows))
        if roll.surplus and tally.unexplained_rows and not accepts(self._state, tally.unexplained_rows):
            yield Chunk(state=self._state)
            raise ContractError(
                f"the API counts {roll.surplus} rows more than it lists, each time anew; should the next run find the"
                " same, it takes that for the API's way to count",
                path=self._reading.endpoint.path,
            )

    def _count_again(self) -> None:
        """Give a count that lags behind a deletion some seconds to follow."""
        tally = self._reading.tally
        for seconds in COUNT_AGAIN_SECONDS:
            if self._reading.endpoint.whole or not tally.unexplained_rows:
                return
            self._reading.sleep(seconds)
            note_count(self._reading, self._start)
            self._measure()

    def _refuse_again(self) -> None:
        """Fail without another listing where an earlier run refused to mark the same rows.

        Raises:
            MassDeletion: If it did.
        """
        tally = self._reading.tally
        if remembers_refusal(self._state, tally.api_rows) and tally.api_rows is not None:
            raise self._mass_deletion((tally.live_rows or 0) - tally.api_rows, tally.live_rows or 0)

    def _mass_deletion(self, gone: int, live: int) -> MassDeletion:
        return MassDeletion(
            f"the API no longer lists {gone:,} of {live:,} rows of {self._spec.name}, also when it is asked twice;"
            " nothing was marked deleted. If they are meant to be gone, run once with --accept-deletions; if not, look"
            " at the key, its account and base_url",
            path=self._reading.endpoint.path,
        )


def describe_difference(unexplained_rows: int) -> str:
    """By how much the counts of both sides differ, as a sentence."""
    if unexplained_rows > 0:
        return f"the API counts {count(unexplained_rows, 'row')} more than the destination holds"
    return f"the API counts {count(-unexplained_rows, 'row')} fewer than the destination holds: deleted there"
