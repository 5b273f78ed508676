"""The states that a destination holds, where more than one machine may load into it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace

from cogny_source.destinations.adapter import PackageLoader
from cogny_source.destinations.load_ids import rise_above
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.losses import mend_losses
from cogny_source.engine.working_dir import check_schema, restore_state
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State, lower_state
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package

logger = logging.getLogger(__name__)


class StateStore:
    """The states that the destination holds, this run's and those of other machines that load into it meanwhile.

    Args:
        destination: Where they are committed.
        loader: Loads into it.
        names: The resources that this run loads.
    """

    def __init__(self, destination: DestinationSession, loader: PackageLoader, names: Sequence[str]) -> None:
        self._destination = destination
        self._loader = loader
        self._names = names
        self._known: set[str] = set()
        self._theirs: list[dict[str, State]] = []
        self._turns = 0
        self.states: dict[str, State] = {}

    def open(self) -> None:
        """Take the state from the destination, but for what it claims of tables that somebody dropped."""
        check_schema(self._destination.pipeline)
        with self._destination.hold():
            restored = restore_state(self._destination)
            self.states = mend_losses(self._destination, self._loader, restored, self.next_token(str(uuid.uuid4())))
            self._known = self._destination.state_ids()

    def lower_to_other_writers(self, waiting: dict[str, Chunk]) -> None:
        """Lower the states about to be committed to what other machines vouch for that loaded since.

        Both may have read a row at different times; whichever loads last may put the older version there. Hence no
        state may be committed that claims more than each of them has read. To be called while the destination is held.
        """
        there = self._destination.state_ids()
        rise_above(there)
        news = there - self._known
        if news:
            logger.warning(
                "another machine loads into this destination too; what both read is read again by the next sync"
            )
            self._known |= news
            self._theirs += self._destination.read_states(news)
        for name in ENDPOINTS if self._theirs else ():
            chunk = waiting.get(name, Chunk())
            state = self.states.get(name, {}) if chunk.state is None else chunk.state
            for theirs in self._theirs:
                state = lower_state(state, theirs.get(name, {})) if name in self._names else theirs.get(name, {})
            waiting[name] = replace(chunk, state=state)

    def next_token(self, run_id: str) -> str:
        """What names the next package in the state."""
        self._turns += 1
        return f"{run_id}:{self._turns}"

    def note(self, load_ids: set[str], package: Package) -> None:
        """Note that a package is loaded."""
        self._known |= load_ids
        self.states |= {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
