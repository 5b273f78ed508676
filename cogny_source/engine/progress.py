"""The progress of a sync, reported to an observer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cogny_source.engine.run_record import ResourceRun


class Progress(Protocol):
    """Observes a sync. Several threads call it, one per resource."""

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """A page was read.

        Args:
            run: The record of its resource so far.
            requests_left: Requests left in the window of the rate limit; None if no header says so.
        """

    def wait(self, seconds: float, reason: str) -> None:
        """A request waits for the rate limit or between attempts."""

    def load(self, rows: int) -> None:
        """A load begins."""

    def loaded(self, runs: Sequence[ResourceRun]) -> None:
        """A load is done.

        Args:
            runs: The record of each resource so far.
        """


class Silence:
    """Ignores the progress."""

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """Do nothing."""

    def wait(self, seconds: float, reason: str) -> None:
        """Do nothing."""

    def load(self, rows: int) -> None:
        """Do nothing."""

    def loaded(self, runs: Sequence[ResourceRun]) -> None:
        """Do nothing."""
