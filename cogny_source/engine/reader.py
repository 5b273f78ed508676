"""One resource, read from its state: which passes it takes, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cogny_source.engine.backfill import read_backfill, read_window
from cogny_source.engine.chunk import Chunk
from cogny_source.engine.incremental import read_incremental, read_whole
from cogny_source.engine.listing import Reading
from cogny_source.engine.windows import Window
from cogny_source.errors import ConfigError
from cogny_source.instants import format_instant, parse_instant


@dataclass(frozen=True)
class Plan:
    """What a sync is asked to read.

    Attributes:
        start_date: Rows created before it are left out; None for all.
        window: A window by creation time, which is read without moving the watermark; None for a normal sync.
        full_refresh: Whether everything is read again.
        overlap_seconds: How far behind the watermark an incremental pass begins.
    """

    start_date: datetime | None = None
    window: Window | None = None
    full_refresh: bool = False
    overlap_seconds: float = 60.0

    def mode(self, reading: Reading, state: dict[str, Any]) -> str:
        """The name of what is done with a resource, as `sync_runs` tells it."""
        if reading.endpoint.whole:
            return "full"
        if self.window is not None:
            return "window"
        if self.full_refresh:
            return "refresh"
        return "incremental" if "backfill" not in prepare_state(state, self) else "backfill"


def read_resource(reading: Reading, state: dict[str, Any], plan: Plan) -> Iterator[Chunk]:
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
        yield from read_window(reading, plan.window)
        return
    state = prepare_state(state, plan)
    if "backfill" in state:
        for chunk in read_backfill(reading, state):
            state = chunk.state or state
            yield chunk
    yield from read_incremental(reading, state, plan.overlap_seconds)


def claim_state(state: dict[str, Any], origin: str) -> dict[str, Any]:
    """The state, marked with where its rows come from.

    Raises:
        ConfigError: If the destination holds rows of another origin.
    """
    holder = state.get("origin")
    if holder not in (None, origin):
        raise ConfigError(
            f"this dataset holds rows of {holder}, and the settings name {origin}; use another dataset or database"
        )
    return {**state, "origin": origin}


def prepare_state(state: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The state with what the first load still has to read.

    A start date that is earlier than before opens the window between the two.
    """
    wanted = format_instant(plan.start_date) if plan.start_date else None
    if plan.full_refresh or not ("backfill" in state or "updated_after" in state):
        return {
            "origin": state.get("origin"),
            "start_date": wanted,
            "backfill": {"windows": [[wanted, None]], "updated_after": None},
        }
    loaded_from = parse_instant(state.get("start_date"))
    if loaded_from is None or (plan.start_date is not None and plan.start_date >= loaded_from):
        return state
    backfill = state.get("backfill", {"windows": [], "updated_after": state.get("updated_after")})
    windows = [[wanted, format_instant(loaded_from)], *backfill["windows"]]
    return {**state, "start_date": wanted, "backfill": {**backfill, "windows": windows}}
