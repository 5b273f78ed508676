"""What the counts of the last runs say against the data: judged alike for `cogny status` and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

# One run that marks so large a part of a table deleted has met a fault of the API as likely as a great clearing out.
SUSPECT_SHARE = 0.1
# Of a small table a single row is a tenth.
SUSPECT_ROWS = 2
NOT_OF_A_SYNC = ("window", "reset")
RUNS_JUDGED = 60
# However many runs came since: a deletion stands until a verification.
OF_DELETIONS = " AND (deleted_rows > 0 OR differences IS NOT NULL)"


@dataclass(frozen=True)
class Counts:
    """What one run counted of a resource.

    Attributes:
        status: How the run ended.
        mode: What was done; see the column of `sync_runs`.
        live_rows: Rows that were not marked deleted at its end; None where they were not counted.
        unexplained_rows: Rows that the API counted beyond those; None where it did not count.
        deleted_rows: Rows that its census marked; None where it ran none.
        differences: Rows that differed when it was verified; None where it was not.
    """

    status: str | None
    mode: str | None
    live_rows: int | None
    unexplained_rows: int | None
    deleted_rows: int | None
    differences: int | None


def read_counts(ask: Callable[[str], list[tuple[Any, ...]]], resource: str, condition: str = "") -> list[Counts]:
    """What the last runs of a resource counted, the oldest first.

    Args:
        ask: Asks the destination, whose `sync_runs` may have to be there.
        resource: The resource.
        condition: Which runs to look at, as SQL that begins with AND; all where empty.
    """
    columns = ", ".join(field.name for field in fields(Counts))
    found = ask(
        f"SELECT {columns} FROM sync_runs WHERE resource = '{resource}'{condition}"
        f" ORDER BY started_at DESC LIMIT {RUNS_JUDGED}"
    )
    return [Counts(*row) for row in found][::-1]


def describe_mass_deletion(runs: Sequence[Counts]) -> str | None:
    """That one run marked a large part of a table deleted, in words; None where none did, or a verification came since.

    Args:
        runs: A resource's last runs that marked or compared rows, the oldest first.
    """
    for run in reversed(runs):
        if run.status == "done" and run.differences == 0 and not _marks_many(run):
            return None
        if _marks_many(run):
            marked, before = run.deleted_rows or 0, (run.live_rows or 0) + (run.deleted_rows or 0)
            return (
                f"one run marked {marked:,} of {before:,} rows deleted ({marked / before:.0%}), as the API listed them"
                " no more: look whether they are gone there; cogny verify compares all rows, and accepts it"
            )
    return None


def describe_missing_count(runs: Sequence[Counts]) -> str | None:
    """That the last run that is done could not count the API's rows, in words; None where it could.

    Args:
        runs: A resource's last runs, the oldest first.
    """
    last = next((run for run in reversed(runs) if run.status == "done" and run.mode not in NOT_OF_A_SYNC), None)
    if last is None or last.unexplained_rows is not None or last.deleted_rows is not None or last.live_rows is None:
        return None
    return "the API's rows were not counted, so that deletions may be unmarked; cogny census marks them"


def _marks_many(run: Counts) -> bool:
    marked = run.deleted_rows or 0
    if run.live_rows is None or not marked:
        return False
    return marked >= SUSPECT_SHARE * (run.live_rows + marked) and (marked >= SUSPECT_ROWS or run.live_rows == 0)
