"""One resource in a sync: reads it, protects newer rows of the destination, and reconciles both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.destinations.reader import DestinationReader
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import note_sample
from cogny_source.extract.lookback import choose_reach
from cogny_source.extract.plan import Plan
from cogny_source.extract.resource import read_resource
from cogny_source.extract.state import State, prepare_state
from cogny_source.reconcile.settlement import Loaded, Reconciliation
from cogny_source.reconcile.versions import VersionGuard
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import parse_instant


def sync_resource(
    context: ReadContext,
    state: State,
    plan: Plan,
    destination: DestinationReader,
    prefetch: Callable[[Iterator[Chunk]], Iterator[Chunk]] = iter,
) -> Iterator[Chunk]:
    """Read a resource, then count it on both sides, and compare it with the API as far as the plan requires.

    The caller must load each chunk before it takes the next.

    Args:
        context: Client, endpoint and counters.
        state: The resource's state in the destination; not modified.
        plan: What to do.
        destination: The destination of the chunks.
        prefetch: Makes an iterator that reads ahead of the load; called at once.

    Returns:
        The chunks; the last one has `last`.
    """
    if plan.window is not None:
        guard = VersionGuard(context, destination, None)
        return map(guard.admit, prefetch(read_resource(context, state, plan)))
    state = state if context.endpoint.whole else prepare_state(state, plan)
    return _read_and_settle(prefetch(_count_and_read(context, state, plan)), context, state, plan, destination)


def _count_and_read(context: ReadContext, state: State, plan: Plan) -> Iterator[Chunk]:
    if not context.endpoint.whole and not _begins_with_everything(state):
        note_sample(context, parse_instant(state.get("start_date")))
    # Already prepared for a full refresh; preparing twice would restart it.
    prepared = plan if context.endpoint.whole else replace(plan, full_refresh=False)
    yield from read_resource(context, state, prepared)


def _read_and_settle(
    chunks: Iterator[Chunk], context: ReadContext, state: State, plan: Plan, destination: DestinationReader
) -> Iterator[Chunk]:
    guard: VersionGuard | None = None
    begins_at, loads_first = state, "backfill" in state
    # The first load of an empty destination, and the full refresh of a full table, have no newer rows to protect.
    is_first = _begins_with_everything(state) and not plan.full_refresh
    is_refreshed = plan.full_refresh and context.endpoint.whole
    # If an earlier start date opened a window, the rows after it were loaded by earlier runs.
    loads_all = loads_first and "updated_after" not in begins_at
    held_rows = False
    for chunk in chunks:
        if guard is None:  # the server's clock is known from the first chunk on
            reach = choose_reach(begins_at, plan, context.counts.taken_at, after_backfill=loads_first)
            guard = VersionGuard(context, destination, reach.settled_before)
            held_rows = loads_all and destination.count_live(context.endpoint.table, None, None).rows > 0
        state = chunk.state or state
        is_first = is_first and "backfill" in state
        yield replace(chunk if is_first or is_refreshed else guard.admit(chunk), last=False)
    loaded = Loaded(_find_beginning(begins_at, context), held_rows) if loads_all else None
    yield from Reconciliation(context, state, plan, destination, loaded).chunks()


def _find_beginning(state: State, context: ReadContext) -> datetime | None:
    """When the first load began that this run has completed, by the server's clock."""
    return parse_instant(state["backfill"].get("updated_after")) or context.counts.taken_at


def _begins_with_everything(state: State) -> bool:
    """Whether the first listing has no filter, so that its first page has the API's count of all rows."""
    windows = state.get("backfill", {}).get("windows")
    return bool(windows) and windows[0] == [None, None]
