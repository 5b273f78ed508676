"""One resource, read from its state: which passes it takes, and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from cogny_source.extract.backfill import read_backfill, read_window
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import Endpoint
from cogny_source.extract.full_table import read_full_table
from cogny_source.extract.incremental import read_incremental
from cogny_source.extract.lookback import choose_reach
from cogny_source.extract.plan import Plan
from cogny_source.extract.state import State, prepare_state
from cogny_source.extract.unproven import load_spans, reread_spans
from cogny_source.records.chunk import Chunk


def choose_mode(endpoint: Endpoint, state: State, plan: Plan) -> str:
    """The name of what is done with a resource, as `sync_runs` tells it."""
    if endpoint.whole:
        return "full"
    if plan.window is not None:
        return "window"
    if plan.full_refresh:
        return "refresh"
    return "incremental" if "backfill" not in prepare_state(state, plan) else "backfill"


def read_resource(reading: ReadContext, state: State, plan: Plan) -> Iterator[Chunk]:
    """Read a resource as the plan and its state say.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state, as the destination holds it; not changed.
        plan: What is asked for.

    Yields:
        Chunks; the last is marked as such.
    """
    if reading.endpoint.whole:
        yield from read_full_table(reading, {"origin": state.get("origin")} if plan.full_refresh else state)
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
