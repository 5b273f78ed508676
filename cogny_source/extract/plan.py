"""The plan of a sync."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cogny_source.settings import Settings
from cogny_source.windows import Window

Census = Literal["never", "auto", "always"]


HOUR_SECONDS = 3600.0
# A smaller number of rows does not count as all rows.
FEWEST_OF_ALL = 10


@dataclass(frozen=True)
class DeletionGuard:
    """The limit on rows that a census marks deleted without a person's consent.

    Attributes:
        share: The largest share of a table's live rows, for `rows` rows and more. Marking all rows is always refused.
        rows: Fewer rows are never refused for their share.
        accepted: Whether a person accepted any number.
    """

    share: float = 0.1
    rows: int = 50
    accepted: bool = False

    def refuses(self, gone: int, live: int) -> bool:
        """Whether this many of a table's live rows may not be marked."""
        everything = gone == live and live >= FEWEST_OF_ALL
        return not self.accepted and (everything or (gone >= self.rows and gone > self.share * live))


@dataclass(frozen=True)
class Plan:
    """What a sync does with each resource.

    Attributes:
        start_date: Rows created before it are left out; None for the date that the dataset was loaded with, and
            `BEGINNING` for all rows.
        window: A window by creation time, which is read without moving the watermark; None for a normal sync.
        full_refresh: Whether to read everything again.
        overlap_seconds: How far before the watermark an incremental pass begins.
        census: When to compare the API's whole list with the destination; `auto` if the counts differ.
        verify: Whether to compare destination and API afterwards.
        verify_contents: How many of the newest contents of reports to fetch again and compare afterwards.
        lookback_seconds: How far before the watermark a second look begins; 0 for none.
        lookback_every_seconds: Seconds between second looks, by the server's clock.
        deletions: The limit on rows that a census marks.
        scrub_share: The share of the rate limit for comparing rows that did not change; 0 for none.
    """

    start_date: datetime | None = None
    window: Window | None = None
    full_refresh: bool = False
    overlap_seconds: float = 60.0
    census: Census = "auto"
    verify: bool = False
    verify_contents: int = 0
    lookback_seconds: float = 48 * HOUR_SECONDS
    lookback_every_seconds: float = 24 * HOUR_SECONDS
    deletions: DeletionGuard = field(default_factory=DeletionGuard)
    scrub_share: float = 0.01


def make_plan(settings: Settings, *, accept_deletions: bool = False, **options: Any) -> Plan:
    """A plan by the settings.

    Args:
        settings: The settings for second looks, scrub and deletions.
        accept_deletions: Whether a person accepted that many rows are marked.
        **options: Members of the plan that do not come from the settings.
    """
    return Plan(
        overlap_seconds=settings.overlap_seconds,
        lookback_seconds=settings.lookback_hours * HOUR_SECONDS,
        lookback_every_seconds=settings.lookback_every_hours * HOUR_SECONDS,
        deletions=DeletionGuard(settings.max_deletion_share, settings.max_deletion_rows, accept_deletions),
        scrub_share=settings.scrub_share,
        **options,
    )
