"""Reads one resource: which passes its state and the plan need, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from cogny_source.errors import ConfigError
from cogny_source.extract.backfill import read_backfill, read_window
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import Endpoint
from cogny_source.extract.full_table import read_full_table
from cogny_source.extract.incremental import read_incremental
from cogny_source.extract.lookback import choose_reach
from cogny_source.extract.plan import Plan
from cogny_source.extract.state import State, choose_start_date, prepare_state
from cogny_source.extract.unproven import load_spans, reread_spans
from cogny_source.records.chunk import Chunk
from cogny_source.timestamps import format_instant, parse_instant
from cogny_source.windows import Window


def choose_mode(endpoint: Endpoint, state: State, plan: Plan) -> str:
    """The mode of reading a resource, as in `sync_runs`."""
    if endpoint.whole:
        return "full"
    if plan.window is not None:
        return "window"
    if plan.full_refresh:
        return "refresh"
    return "incremental" if "backfill" not in prepare_state(state, plan) else "backfill"


def read_resource(context: ReadContext, state: State, plan: Plan) -> Iterator[Chunk]:
    """Read a resource by its state and the plan.

    Args:
        context: Client, endpoint and counters.
        state: The resource's state in the destination; not changed.
        plan: The plan of the sync.

    Yields:
        Chunks; the last is marked as such.
    """
    if context.endpoint.whole:
        yield from read_full_table(context, {"origin": state.get("origin")} if plan.full_refresh else state)
        return
    if plan.window is not None:
        yield from read_window(context, _bound(plan.window, parse_instant(choose_start_date(state, plan))), state)
        return
    state = prepare_state(state, plan)
    held: Chunk | None = None
    loads_first = "backfill" in state
    if loads_first:
        for chunk in read_backfill(context, state):
            state = chunk.state or state
            if "backfill" in state:
                yield chunk
            else:
                held = chunk
    reach = choose_reach(state, plan, context.counts.taken_at, after_backfill=loads_first)
    state, newest = yield from read_incremental(context, state, reach, held)
    if load_spans(state):
        yield from reread_spans(context, state, newest)


def _bound(window: Window, start: datetime | None) -> Window:
    """The window from the start date on.

    Raises:
        ConfigError: If nothing lies between the two.
    """
    if start is not None and window.end is not None and start >= window.end:
        raise ConfigError(
            f"end_date lies before {format_instant(start)}, from which on the dataset is loaded: name a start_date too"
        )
    return replace(window, start=start)
