"""One resource in a sync: read, held against what is there, counted, and settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.destinations.session import DestinationSession
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import note_sample
from cogny_source.extract.lookback import choose_reach
from cogny_source.extract.plan import Plan
from cogny_source.extract.resource import read_resource
from cogny_source.extract.state import State, prepare_state
from cogny_source.reconcile.settlement import Reconciliation
from cogny_source.reconcile.versions import VersionGuard
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import parse_instant


def sync_resource(
    reading: ReadContext,
    state: State,
    plan: Plan,
    destination: DestinationSession,
    ahead: Callable[[Iterator[Chunk]], Iterator[Chunk]] = iter,
) -> Iterator[Chunk]:
    """Read a resource, then count it on both sides, and hold it against the API as far as the plan asks.

    Each chunk must be loaded before the next is asked for.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state, as the destination holds it; not changed.
        plan: What is asked for.
        destination: Where the chunks are loaded.
        ahead: Reads ahead of the loading; called at once.

    Returns:
        Chunks; the last is marked as such.
    """
    if plan.window is not None:
        guard = VersionGuard(reading, destination, None)
        return map(guard.admit, ahead(read_resource(reading, state, plan)))
    state = state if reading.endpoint.whole else prepare_state(state, plan)
    return _read_and_settle(ahead(_count_and_read(reading, state, plan)), reading, state, plan, destination)


def _count_and_read(reading: ReadContext, state: State, plan: Plan) -> Iterator[Chunk]:
    if not reading.endpoint.whole and not _begins_with_everything(state):
        note_sample(reading, parse_instant(state.get("start_date")))
    # The state is prepared for a full refresh by now; to prepare it again would be to begin again.
    prepared = plan if reading.endpoint.whole else replace(plan, full_refresh=False)
    yield from read_resource(reading, state, prepared)


def _read_and_settle(
    chunks: Iterator[Chunk], reading: ReadContext, state: State, plan: Plan, destination: DestinationSession
) -> Iterator[Chunk]:
    guard: VersionGuard | None = None
    begins_at, loads_first = state, "backfill" in state
    # What a first load brings into an empty destination is held against nothing; nor is a list that is read anew.
    is_first = _begins_with_everything(state) and not plan.full_refresh
    is_anew = plan.full_refresh and reading.endpoint.whole
    for chunk in chunks:
        if guard is None:  # with the first chunk the server's clock is known
            reach = choose_reach(begins_at, plan, reading.tally.taken_at, after_backfill=loads_first)
            guard = VersionGuard(reading, destination, reach.settled_before)
        state = chunk.state or state
        is_first = is_first and "backfill" in state
        yield replace(chunk if is_first or is_anew else guard.admit(chunk), last=False)
    # Where an earlier start date opened a window, the rows after it were loaded long ago.
    loads_all = loads_first and "updated_after" not in begins_at
    loaded_since = _find_beginning(begins_at, reading) if loads_all else None
    yield from Reconciliation(reading, state, plan, destination, loaded_since).chunks()


def _find_beginning(state: State, reading: ReadContext) -> datetime | None:
    """When the first load began that this run has ended, by the server's clock."""
    return parse_instant(state["backfill"].get("updated_after")) or reading.tally.taken_at


def _begins_with_everything(state: State) -> bool:
    """Whether the first listing has no filter, so that its first page tells the API's count."""
    windows = state.get("backfill", {}).get("windows")
    return bool(windows) and windows[0] == [None, None]
