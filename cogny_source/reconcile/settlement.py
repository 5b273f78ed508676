"""After a resource is read: compares the counts of both sides, and explains or repairs a difference."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cogny_source.destinations.reader import DestinationReader
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

# A count may lag behind a deletion: waits before it is requested again and the run fails.
COUNT_AGAIN_SECONDS = (1.0, 2.0, 4.0)
# The most pages of a slice, which is held in memory; a sync may compare several slices.
SLICE_PAGES = 100


@dataclass(frozen=True)
class Loaded:
    """What a first load or a full refresh read.

    Attributes:
        since: The time since which every listed row was read, by the server's clock; None if unknown.
        held_rows: Whether the table had rows before.
    """

    since: datetime | None
    held_rows: bool

    def find_compared_since(self, unexplained_rows: int | None) -> datetime | None:
        """Since when all rows of the table were compared: if none was there before, or by the counts none is gone."""
        return self.since if not self.held_rows or unexplained_rows == 0 else None


class Reconciliation:
    """Compares counts, takes a census where needed, scrubs and verifies, after a resource is read.

    Args:
        context: Client, endpoint and counters; its counts holds the API's count.
        state: The resource's state in the destination.
        plan: The plan of the sync.
        destination: The destination.
        loaded: What a first load or a full refresh read; None after another pass.
    """

    def __init__(
        self,
        context: ReadContext,
        state: State,
        plan: Plan,
        destination: DestinationReader,
        loaded: Loaded | None = None,
    ) -> None:
        self._context = context
        self._state = state
        self._plan = plan
        self._destination = destination
        self._spec = context.endpoint.table
        self._start = parse_instant(state.get("start_date"))
        self._loaded = loaded

    def chunks(self) -> Iterator[Chunk]:
        """Compare the counts, take a census if the plan needs one, and verify.

        Yields:
            Chunks; each must be loaded before the next one is requested. The last is marked as such.
        """
        counts, name = self._context.counts, self._spec.name
        missed = self._compare_counts()
        if missed:
            yield from self._look_again()
            missed = self._compare_counts()
        if counts.unexplained_rows == 0:
            self._state = note_census(self._state, 0)
        wanted = (
            missed
            or counts.unlisted_rows
            or (counts.unexplained_rows and not accepts(self._state, counts.unexplained_rows))
        )
        if self._plan.census == "always" or (self._plan.census == "auto" and wanted):
            yield from self._take_census()
        elif wanted:
            logger.warning("%s: %s", name, describe_difference(counts.unexplained_rows or 0))
        if not self._context.endpoint.whole and self._plan.census != "never":
            corrected = counts.corrections.total()
            yield from self._scrub()
            if counts.corrections.total() != corrected:
                self._measure()
        if self._plan.verify:
            counts.differences = verify(self._context, self._state, self._destination)
        counts.compared_since = find_compared_since(self._state)
        yield Chunk(state=self._state, last=True)

    def _scrub(self) -> Generator[Chunk, None, None]:
        """Compare the next slice of the table with the API, within the spare requests of the rate limit."""
        counts, plan = self._context.counts, self._plan
        # Without a time of the API, this machine's clock measures the time since the last slice.
        now = counts.taken_at or self._context.now()
        coverage = load_coverage(self._state)
        if coverage is None:
            since = self._loaded.find_compared_since(counts.unexplained_rows) if self._loaded else None
            coverage = Coverage.of_all(since, now)
        coverage = coverage.as_of(now)
        # Rows without `created_at` are in no slice.
        sliceable = coverage.sliceable and (self._start is not None or not counts.undated_rows)
        limit = self._context.requests_per_minute()
        asked = replace(coverage, sliceable=sliceable)
        pages = count_pages(asked, counts.live_rows or 0, now, plan.scrub_share, limit)
        if pages and not sliceable:
            yield from self._take_census()
            return
        scrub = Scrub(self._context, self._destination, self._start, plan.deletions)
        while pages > 0 and coverage.sliceable:
            spare = self._context.spare_requests()
            part = min(pages, SLICE_PAGES, SLICE_PAGES if spare is None else spare)
            if part <= 0:
                break
            before = coverage
            coverage = yield from scrub.chunks(coverage, part, now)
            pages = 0 if coverage == before or coverage.position is None else pages - part
        self._state = note_coverage(self._state, coverage)

    def _compare_counts(self) -> bool:
        """Compare the counts of API and destination, and request a second count if they differ.

        Rows that came and went during the reading explain most differences.

        Returns:
            Whether the row that came with the first count is missing in the destination, or older there.
        """
        counts = self._context.counts
        missed = self._measure()
        if counts.api_rows in (None, counts.live_rows):
            return missed
        counted_before = counts.api_rows
        if not self._context.endpoint.whole:
            note_count(self._context, self._start)
        self._measure(counted_before)
        return missed

    def _measure(self, counted_before: int | None = None) -> bool:
        counts = self._context.counts
        key, version = counts.sample or (None, None)
        live = self._destination.count_live(self._spec, self._start, counts.taken_at, key)
        counts.live_rows, counts.undated_rows = live.rows, live.undated
        counts.unexplained_rows = counts.unexplained(live.rows, live.settled, counted_before)
        return version is not None and (live.updated_at is None or live.updated_at < version)

    def _look_again(self) -> Generator[Chunk, None, None]:
        """Read the changes again, from before the one that the list of changes lacked."""
        watermark, sample = parse_instant(self._state.get("updated_after")), self._context.counts.sample
        if watermark is None or sample is None:
            return
        logger.warning("%s: the list of changes lacked one that the API counts; it is read again", self._spec.name)
        behind = (watermark - sample[1]).total_seconds() + self._plan.overlap_seconds
        reach = reach_back(watermark, self._plan, max(behind, self._plan.lookback_seconds))
        guard = VersionGuard(self._context, self._destination, reach.settled_before)
        for chunk in read_incremental(self._context, self._state, reach):
            self._state = chunk.state or self._state
            yield replace(guard.admit(chunk), last=False)

    def _take_census(self) -> Generator[Chunk, None, None]:
        counts, name = self._context.counts, self._spec.name
        if self._plan.census == "auto" and not self._plan.deletions.accepted:
            self._refuse_again()
        logger.info("%s: taking a census", name)
        census = Census(self._context, self._destination, self._start, self._plan.deletions)
        yield from census.chunks()
        counts.deleted_rows, roll = census.marked, census.roll
        if roll.counts.api_rows is not None:
            counts.take(roll.counts.api_rows, roll.counts.taken_at)
        logger.info("%s: the census loaded %d rows and marked %d deleted", name, census.loaded, census.marked or 0)
        self._measure()
        if census.refused:
            self._state = note_refusal(self._state, counts.api_rows)
            yield Chunk(state=self._state)
            raise self._mass_deletion(census.refused, counts.live_rows or 0)
        self._state = note_refusal(self._state, None)
        if roll.surplus:
            self._count_again()
        if roll.complete:
            self._state = note_census(self._state, counts.unexplained_rows)
            if self._context.endpoint.whole:
                self._state = note_list(self._state, digest_list(roll.digests), roll.ended_at) or self._state
                counts.digests, counts.unlisted_rows = roll.digests, 0
            else:
                known, began_at = load_coverage(self._state), census.began_at
                sliceable = known is None or known.sliceable
                self._state = note_coverage(self._state, Coverage.of_all(began_at, began_at, sliceable=sliceable))
        if counts.unexplained_rows:
            logger.warning("%s: even after a census, %s", name, describe_difference(counts.unexplained_rows))
        if roll.surplus and counts.unexplained_rows and not accepts(self._state, counts.unexplained_rows):
            yield Chunk(state=self._state)
            raise ContractError(
                f"the API counts {roll.surplus} rows more than it lists, at every attempt; if the next run finds the"
                " same number, it accepts it as the API's way of counting",
                path=self._context.endpoint.path,
            )

    def _count_again(self) -> None:
        """Request the count again after some seconds: it may lag behind a deletion."""
        counts = self._context.counts
        for seconds in COUNT_AGAIN_SECONDS:
            if self._context.endpoint.whole or not counts.unexplained_rows:
                return
            self._context.sleep(seconds)
            note_count(self._context, self._start)
            self._measure()

    def _refuse_again(self) -> None:
        """Fail without another listing if an earlier run refused to mark the same rows.

        Raises:
            MassDeletion: If it did.
        """
        counts = self._context.counts
        if remembers_refusal(self._state, counts.api_rows) and counts.api_rows is not None:
            raise self._mass_deletion((counts.live_rows or 0) - counts.api_rows, counts.live_rows or 0)

    def _mass_deletion(self, gone: int, live: int) -> MassDeletion:
        return MassDeletion(
            f"the API no longer lists {gone:,} of {live:,} rows of {self._spec.name}, even when asked twice;"
            " nothing was marked deleted. If they are meant to be gone, run once with --accept-deletions; if not, look"
            " at the key, its account and base_url",
            path=self._context.endpoint.path,
        )


def describe_difference(unexplained_rows: int) -> str:
    """The difference of the counts, as a sentence."""
    if unexplained_rows > 0:
        return f"the API counts {count(unexplained_rows, 'row')} more than the destination holds"
    return f"the API counts {count(-unexplained_rows, 'row')} fewer than the destination holds: deleted there"
