"""What a sync tells whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cogny_source.engine.run_record import ResourceRun


class Progress(Protocol):
    """Watches a sync. The resources are read by several threads, each of which calls."""

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """A page was read.

        Args:
            run: What was done with its resource so far.
            requests_left: In the window of the rate limit; None where no header tells.
        """

    def wait(self, seconds: float, reason: str) -> None:
        """A request waits, for the rate limit or between attempts."""

    def load(self, rows: int) -> None:
        """A load of so many rows begins."""

    def loaded(self, runs: Sequence[ResourceRun]) -> None:
        """The load is done; what was done with each resource so far."""


class Silence:
    """Watches, and says nothing."""

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """Say nothing."""

    def wait(self, seconds: float, reason: str) -> None:
        """Say nothing."""

    def load(self, rows: int) -> None:
        """Say nothing."""

    def loaded(self, runs: Sequence[ResourceRun]) -> None:
        """Say nothing."""
