"""One resource, read from its state: which passes it takes, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.engine.backfill import read_backfill, read_window
from cogny_source.engine.chunk import Chunk
from cogny_source.engine.counting import note_sample
from cogny_source.engine.destination import Destination
from cogny_source.engine.endpoints import Endpoint
from cogny_source.engine.incremental import read_incremental
from cogny_source.engine.lookback import choose_reach
from cogny_source.engine.plan import Plan
from cogny_source.engine.reading import Reading
from cogny_source.engine.settlement import Settlement
from cogny_source.engine.state import State, prepare_state
from cogny_source.engine.unproven import load_spans, reread_spans
from cogny_source.engine.versions import VersionGuard
from cogny_source.engine.whole import read_whole
from cogny_source.instants import parse_instant


def choose_mode(endpoint: Endpoint, state: State, plan: Plan) -> str:
    """The name of what is done with a resource, as `sync_runs` tells it."""
    if endpoint.whole:
        return "full"
    if plan.window is not None:
        return "window"
    if plan.full_refresh:
        return "refresh"
    return "incremental" if "backfill" not in prepare_state(state, plan) else "backfill"


def read_resource(reading: Reading, state: State, plan: Plan) -> Iterator[Chunk]:
    """Read a resource as the plan and its state say.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state, as the destination holds it; not changed.
        plan: What is asked for.

    Yields:
        Chunks; the last is marked as such.
    """
    if reading.endpoint.whole:
        yield from read_whole(reading, {"origin": state.get("origin")} if plan.full_refresh else state)
        return
    if plan.window is not None:
        yield from read_window(reading, plan.window, state)
        return
    state = prepare_state(state, plan)
    held: Chunk | None = None
    loads_first = "backfill" in state
    if loads_first:
        for chunk in read_backfill(reading, state):
            state = chunk.state or state
            if "backfill" in state:
                yield chunk
            else:
                held = chunk
    reach = choose_reach(state, plan, reading.tally.taken_at, after_backfill=loads_first)
    state, newest = yield from read_incremental(reading, state, reach, held)
    if load_spans(state):
        yield from reread_spans(reading, state, newest)


def sync_resource(
    reading: Reading,
    state: State,
    plan: Plan,
    destination: Destination,
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


def _count_and_read(reading: Reading, state: State, plan: Plan) -> Iterator[Chunk]:
    if not reading.endpoint.whole and not _begins_with_everything(state):
        note_sample(reading, parse_instant(state.get("start_date")))
    # The state is prepared for a full refresh by now; to prepare it again would be to begin again.
    prepared = plan if reading.endpoint.whole else replace(plan, full_refresh=False)
    yield from read_resource(reading, state, prepared)


def _read_and_settle(
    chunks: Iterator[Chunk], reading: Reading, state: State, plan: Plan, destination: Destination
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
    yield from Settlement(reading, state, plan, destination, loaded_since).chunks()


def _find_beginning(state: State, reading: Reading) -> datetime | None:
    """When the first load began that this run has ended, by the server's clock."""
    return parse_instant(state["backfill"].get("updated_after")) or reading.tally.taken_at


def _begins_with_everything(state: State) -> bool:
    """Whether the first listing has no filter, so that its first page tells the API's count."""
    windows = state.get("backfill", {}).get("windows")
    return bool(windows) and windows[0] == [None, None]
