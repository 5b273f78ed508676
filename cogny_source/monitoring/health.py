"""What the counts of the last runs say against the data: judged alike for `cogny status` and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

NOT_OF_A_SYNC = ("window", "reset")
RUNS_JUDGED = 60
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Counts:
    """What one run counted of a resource.

    Attributes:
        status: How the run ended.
        mode: What was done; see the column of `sync_runs`.
        live_rows: Rows that were not marked deleted at its end; None where they were not counted.
        unexplained_rows: Rows that the API counted beyond those; None where it did not count.
        deleted_rows: Rows that its census marked; None where it ran none.
    """

    status: str | None
    mode: str | None
    live_rows: int | None
    unexplained_rows: int | None
    deleted_rows: int | None


def read_counts(ask: Callable[[str], list[tuple[Any, ...]]], resource: str) -> list[Counts]:
    """What the last runs of a resource counted, the oldest first.

    Args:
        ask: Asks the destination, whose `sync_runs` may have to be there.
        resource: The resource.
    """
    columns = ", ".join(field.name for field in fields(Counts))
    found = ask(
        f"SELECT {columns} FROM sync_runs WHERE resource = '{resource}' ORDER BY started_at DESC LIMIT {RUNS_JUDGED}"
    )
    return [Counts(*row) for row in found][::-1]


def describe_missing_count(runs: Sequence[Counts]) -> str | None:
    """That the last run that is done could not count the API's rows, in words; None where it could.

    Args:
        runs: A resource's last runs, the oldest first.
    """
    last = next((run for run in reversed(runs) if run.status == "done" and run.mode not in NOT_OF_A_SYNC), None)
    if last is None or last.unexplained_rows is not None or last.deleted_rows is not None or last.live_rows is None:
        return None
    return "the API's rows were not counted, so that deletions may be unmarked; cogny census marks them"


def describe_comparison(compared_since: datetime | None, now: datetime) -> str:
    """How far the scrub is, in words.

    Args:
        compared_since: Every row was held against the API, or read, at this instant or later; None where one may never
            have been.
        now: The present.
    """
    if compared_since is None:
        return "not every row was compared with the API yet"
    days = max(0.0, (now - compared_since).total_seconds()) / DAY_SECONDS
    return f"every row was compared with the API within the last {days:.1f} days"
