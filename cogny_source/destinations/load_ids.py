"""The ids of load packages. They order the states in a destination: dlt restores the state with the highest id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dlt.common.destination.client import StateInfo

from cogny_source.destinations.dlt_internals import raise_next_load_id

Restored = TypeVar("Restored", bound=StateInfo | None)


def rise_above(load_ids: Iterable[str]) -> None:
    """Make dlt's next load ids in this process greater than other ids, whatever the machine's clock says.

    The ids are epoch seconds. A machine whose clock once was ahead leaves an id that later ones must exceed;
    otherwise dlt ignores the later states and what they say about loaded rows.

    Args:
        load_ids: The ids in a destination.
    """
    newest = max(load_ids, default=None)
    if newest is not None:
        raise_next_load_id(float(newest))


def rise_above_state(state: Restored) -> Restored:
    """Make dlt's next load ids greater than that of a state; returns the state unchanged."""
    if state is not None and state._dlt_load_id:
        rise_above([state._dlt_load_id])
    return state
