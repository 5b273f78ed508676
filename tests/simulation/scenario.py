"""A simulation as data: what the API is like, which runs there are, and what happens before which of their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.simulation.world import Habits

Kind = Literal[
    "change", "create", "delete", "delete_many", "revive", "revive_changed", "alter_silently", "restore", "pause",
    "kill", "stop", "fail", "refuse_load", "forget_cursors", "ignore_filters", "other_machine",
]  # fmt: skip
# What people do to the account; the rest happens to the run.
CHANGES = ("change", "create", "delete", "delete_many", "revive", "revive_changed", "alter_silently", "restore")
DAY = 86_400.0


@dataclass(frozen=True)
class Event:
    """What happens before a step of a run. A step is a request, or one side of a commit.

    Attributes:
        step: The step, from 0; after the last step of the run, it happens when the run has ended.
        kind: What happens.
        resource: To which resource.
        place: To which of its rows, in the order of creation; how many changes a restored backup lacks; at which step
            another machine is killed.
        ties: Whether the change has the timestamp of the change before it.
        seconds: How long a pause takes.
    """

    step: int
    kind: Kind
    resource: str = "tickets"
    place: int = 0
    ties: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class RunScript:
    """One run of the sync.

    Attributes:
        events: What happens during it, by step.
        wait_seconds: The time before it.
        chunk_rows: Rows of a chunk.
        workers: The most parallel readers.
        census: When a census is taken.
        full_refresh: Whether everything is read again.
        verify: Whether both sides are compared afterwards.
        resources: The resources.
        accept_deletions: Whether any number of rows may be marked deleted; else two of them, or a third of the table.
        clock_ahead_seconds: How far the API's clock is ahead during this run alone.
        start_days: How many days before the beginning its `start_date` lies; None for the scenario's.
        window_days: Between how many days before the beginning the rows were created that are read; None for a sync.
    """

    events: tuple[Event, ...] = ()
    wait_seconds: float = 60.0
    chunk_rows: int = 10_000
    workers: int = 1
    census: Literal["never", "auto", "always"] = "auto"
    full_refresh: bool = False
    verify: bool = False
    resources: tuple[str, ...] = ("tickets",)
    accept_deletions: bool = True
    clock_ahead_seconds: float = 0.0
    start_days: float | None = None
    window_days: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scenario:
    """A simulation.

    Attributes:
        seed: What decides about scheduling; None for the order in which tasks are submitted.
        habits: What the API is like.
        births: How many days ago each row of a resource was created and last changed.
        runs: The runs before the last ones, which are undisturbed.
        overlap_seconds: The setting.
        start_days: How many days before the beginning the setting `start_date` lies; None for no such date.
        settle: How the differences that no listing of changes shows are found: by the next sync, or within a week.
        resources: The resources that the last runs sync.
    """

    seed: int | None = None
    habits: Habits = field(default_factory=Habits)
    births: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    runs: tuple[RunScript, ...] = ()
    overlap_seconds: float = 60.0
    start_days: float | None = None
    settle: Literal["next", "week"] = "next"
    resources: tuple[str, ...] = ("tickets",)

    @property
    def events(self) -> list[Event]:
        """All events."""
        return [event for run in self.runs for event in run.events]
