"""The states in a destination, into which more than one machine may load."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from cogny_source.destinations.adapter import PackageLoader
from cogny_source.destinations.load_ids import rise_above
from cogny_source.destinations.reader import DestinationReader
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.losses import mend_losses
from cogny_source.engine.working_dir import check_schema, restore_state
from cogny_source.extract.content_rows import CONTENTS
from cogny_source.extract.content_state import lower_contents
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State, lower_state
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package

logger = logging.getLogger(__name__)

# Argument: the token of the package that a repair loads. Returns the states by resource, and all states' load ids.
Restore = Callable[[str], tuple[dict[str, State], set[str]]]


def restore_states(
    destination: DestinationSession, loader: PackageLoader, token: str
) -> tuple[dict[str, State], set[str]]:
    """Restore the states from the destination, and reset those of resources whose tables somebody dropped.

    Args:
        destination: The destination.
        loader: Loads into it.
        token: The token of the package that a repair loads; see `Package`.

    Returns:
        The states by resource, and the load ids of all states.
    """
    check_schema(destination.pipeline)
    with destination.connect():
        states = mend_losses(destination, loader, restore_state(destination), token)
        return states, destination.state_ids()


class StateStore:
    """The states in a destination: those of this run, and those of other machines that load at the same time.

    Args:
        destination: The destination.
        names: The resources that this run loads.
        restore: Restores the states from the destination; see `restore_states`.

    Attributes:
        states: Resource name to the state in the destination.
    """

    def __init__(self, destination: DestinationReader, names: Sequence[str], restore: Restore) -> None:
        self._destination = destination
        self._names = names
        self._restore = restore
        self._known: set[str] = set()
        self._theirs: list[dict[str, State]] = []
        self._packages = 0
        self.states: dict[str, State] = {}

    def open(self) -> None:
        """Restore the states from the destination."""
        self.states, self._known = self._restore(self.next_token(str(uuid.uuid4())))

    def lower_to_other_writers(self, pending: dict[str, Chunk]) -> None:
        """Lower the states about to be committed to those that other machines have committed since.

        Two machines may read a row at different times, and the one that loads last may load the older version. Hence a
        committed state may claim only what each of them has read. Call this method while connected.

        Args:
            pending: Resource name to the chunk about to be loaded; changed in place.
        """
        load_ids = self._destination.state_ids()
        rise_above(load_ids)
        new = load_ids - self._known
        if new:
            logger.warning(
                "another machine also loads into this destination; the next sync reads again what both have read"
            )
            self._known |= new
            self._theirs += self._destination.read_states(new)
        for name in ENDPOINTS if self._theirs else ():
            chunk = pending.get(name, Chunk())
            state = self.states.get(name, {}) if chunk.state is None else chunk.state
            for theirs in self._theirs:
                state = lower_state(state, theirs.get(name, {})) if name in self._names else theirs.get(name, {})
            pending[name] = replace(chunk, state=state)
        self._lower_contents(pending)

    def _lower_contents(self, pending: dict[str, Chunk]) -> None:
        chunk = pending.get(CONTENTS, Chunk())
        state = mine = self.states.get(CONTENTS, {}) if chunk.state is None else chunk.state
        for theirs in self._theirs:
            state = lower_contents(state, theirs.get(CONTENTS, {}))
        if state != mine:
            pending[CONTENTS] = replace(chunk, state=state)

    def next_token(self, run_id: str) -> str:
        """The token of the next package; see `Package`."""
        self._packages += 1
        return f"{run_id}:{self._packages}"

    def record_load(self, load_ids: set[str], package: Package) -> None:
        """Record that a package is loaded."""
        self._known |= load_ids
        self.states |= {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
