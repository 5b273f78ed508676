"""What a sync is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cogny_source.engine.windows import Window

Census = Literal["never", "auto", "always"]


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
    """

    start_date: datetime | None = None
    window: Window | None = None
    full_refresh: bool = False
    overlap_seconds: float = 60.0
    census: Census = "auto"
    verify: bool = False
