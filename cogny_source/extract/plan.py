"""What a sync is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cogny_source.settings import Settings
from cogny_source.windows import Window

Census = Literal["never", "auto", "always"]


HOUR_SECONDS = 3600.0
# Fewer rows than this are not called all.
FEWEST_OF_ALL = 10


@dataclass(frozen=True)
class DeletionGuard:
    """How many rows a census may mark deleted before a person is asked.

    Attributes:
        share: Of a table's live rows; more than that, and at least `rows`, are refused, and so are all of them.
        rows: Fewer than so many are never refused by their share.
        accepted: Whether a person has accepted any number.
    """

    share: float = 0.1
    rows: int = 50
    accepted: bool = False

    def refuses(self, gone: int, live: int) -> bool:
        """Whether so many of a table's live rows may not be marked."""
        everything = gone == live and live >= FEWEST_OF_ALL
        return not self.accepted and (everything or (gone >= self.rows and gone > self.share * live))


@dataclass(frozen=True)
class Plan:
    """What a sync is asked to do with each resource.

    Attributes:
        start_date: Rows created before it are left out; None for all.
        window: A window by creation time, which is read without moving the watermark; None for a normal sync.
        full_refresh: Whether everything is read again.
        overlap_seconds: How far behind the watermark an incremental pass begins.
        census: When everything that the API lists is held against the destination: `auto` is where the counts differ.
        verify: Whether the destination is compared with the API afterwards.
        lookback_seconds: How far behind the watermark the pass begins that looks back; 0 for none.
        lookback_every_seconds: How often a pass looks back, by the server's clock.
        deletions: How many rows a census may mark.
        scrub_share: The share of the rate limit that may be spent on comparing rows that did not change; 0 for none.
    """

    start_date: datetime | None = None
    window: Window | None = None
    full_refresh: bool = False
    overlap_seconds: float = 60.0
    census: Census = "auto"
    verify: bool = False
    lookback_seconds: float = 48 * HOUR_SECONDS
    lookback_every_seconds: float = 24 * HOUR_SECONDS
    deletions: DeletionGuard = field(default_factory=DeletionGuard)
    scrub_share: float = 0.01


def make_plan(settings: Settings, *, accept_deletions: bool = False, **asked: Any) -> Plan:
    """A plan that goes by the settings.

    Args:
        settings: How far and how often passes look back, what the scrub may spend, how many rows a census may mark.
        accept_deletions: Whether a person has accepted that many rows are marked.
        **asked: Members of the plan that do not come from the settings.
    """
    return Plan(
        overlap_seconds=settings.overlap_seconds,
        lookback_seconds=settings.lookback_hours * HOUR_SECONDS,
        lookback_every_seconds=settings.lookback_every_hours * HOUR_SECONDS,
        deletions=DeletionGuard(settings.max_deletion_share, settings.max_deletion_rows, accept_deletions),
        scrub_share=settings.scrub_share,
        **asked,
    )
