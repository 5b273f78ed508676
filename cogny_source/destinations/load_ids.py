"""The ids of load packages, which order the states of a destination: dlt takes the state of the highest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dlt.common.destination.client import StateInfo

from cogny_source.destinations.dlt_internals import raise_next_load_id

Restored = TypeVar("Restored", bound=StateInfo | None)


def rise_above(load_ids: Iterable[str]) -> None:
    """Let the ids that dlt makes in this process rise above others, whatever the machine's clock says.

    They are epoch seconds. A machine whose clock was ahead once leaves an id that later ones must exceed: else
    their states would be left aside, and with them what is known of their rows.

    Args:
        load_ids: The ids that a destination holds.
    """
    newest = max(load_ids, default=None)
    if newest is not None:
        raise_next_load_id(float(newest))


def rise_above_state(state: Restored) -> Restored:
    """Let the ids rise above that of a state, which is returned as it is."""
    if state is not None and state._dlt_load_id:
        rise_above([state._dlt_load_id])
    return state
