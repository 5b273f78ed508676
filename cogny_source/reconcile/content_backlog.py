"""Which contents of reports a destination lacks: the tables themselves are the state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from cogny_source.destinations.session import DestinationSession
from cogny_source.extract.content_rows import FAILED, FETCHED, KEY, MISSING, TOO_LARGE, ReportVersion
from cogny_source.extract.content_state import COMPLETED, NEVER, ContentScope
from cogny_source.schema import LOAD_ID, REPORT_CONTENTS, REPORTS
from cogny_source.timestamps import to_micros

# The turns of reports: never asked for in their version, asked for in vain and to be asked again, not to be asked yet.
FIRST, AGAIN, LATER = range(3)
MICROS_A_MINUTE = 60_000_000
# A report without a content is asked again after pauses that double: ten minutes at first, thirty days at last.
FIRST_PAUSE_MINUTES = 10
LAST_PAUSE_MINUTES = 30 * 24 * 60


@dataclass(frozen=True)
class Backlog:
    """The contents to fetch.

    Attributes:
        reports: The reports to fetch next: the newest first, and last those that were asked for in vain.
        total: How many there are in all.
    """

    reports: tuple[ReportVersion, ...] = ()
    total: int = 0


@dataclass(frozen=True)
class ContentCounts:
    """How many contents a destination holds, and lacks.

    Attributes:
        fetched: Reports with a content, deleted ones included.
        missing: Completed reports without one, according to the API.
        too_large: Completed reports whose content is larger than `max_answer_megabytes`.
        failed: Completed reports whose requests fail.
        to_go: Contents that the next runs fetch; those of the three above whose pause is over are among them.
        left_out: Completed reports without a content of their version that no run fetches.
    """

    fetched: int
    missing: int
    too_large: int
    failed: int
    to_go: int
    left_out: int


class ContentTables:
    """Asks a destination for the contents of reports that it holds, and lacks.

    Args:
        destination: The destination.
    """

    def __init__(self, destination: DestinationSession) -> None:
        self._destination = destination

    def find_backlog(self, scope: ContentScope, now: datetime, most: int) -> Backlog:
        """Find the completed reports whose content is missing or of an older version.

        Args:
            scope: Which contents the dataset is to have.
            now: The present (UTC).
            most: The most reports to return.
        """
        if scope.mode == NEVER:
            return Backlog()
        micros, lacks, is_due = self._destination.adapter.unix_micros, self._lacks(scope), self._is_due(now)
        columns = f"r.id AS report_id, {micros('r.created_at')} AS created_at, {micros('r.updated_at')} AS updated_at"
        order = f"ORDER BY turn, updated_at DESC, report_id LIMIT {most}"
        # Nearly no row passes the condition once the contents are there: what is longer is worked out for those alone.
        rows = self._destination.query_if_there(
            f"SELECT {columns}, count(CASE WHEN {lacks} OR {is_due} THEN 1 END) OVER () AS total,"
            f" CASE WHEN {lacks} THEN {FIRST} WHEN {is_due} THEN {AGAIN} ELSE {LATER} END AS turn"
            f" FROM {REPORTS.name} AS r LEFT JOIN {REPORT_CONTENTS.name} AS c ON c.{KEY} = r.id"
            f" WHERE {_is_completed()} AND ({lacks} OR c.status <> '{FETCHED}') {order}"
        )
        if rows is None:  # nothing was ever fetched
            condition = f"{_is_completed()} AND {self._is_wanted(scope)}"
            rows = self._destination.query_or_empty(
                f"SELECT {columns}, count(*) OVER () AS total, {FIRST} AS turn FROM {REPORTS.name} AS r"
                f" WHERE {condition} {order}"
            )
        # A key that occurs twice in a table is fetched once.
        reports = {row[0]: ReportVersion(*row[:3]) for row in rows if row[4] != LATER}
        return Backlog(tuple(reports.values()), rows[0][3] if rows else 0)

    def read_held(self, keys: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows of `report_contents` with some keys."""
        return self._destination.read_keys(REPORT_CONTENTS, keys)

    def count(self, scope: ContentScope, now: datetime) -> ContentCounts:
        """Count the contents.

        Args:
            scope: Which contents the dataset is to have.
            now: The present (UTC).
        """
        lacks_any = self._lacks(ContentScope("all", None, scope.refetch_through))
        to_go = "1 = 0" if scope.mode == NEVER else f"{self._lacks(scope)} OR {self._is_due(now)}"
        kinds = {
            "fetched": "c.fetched_at IS NOT NULL",
            **{status: f"{_is_completed()} AND c.status = '{status}'" for status in (MISSING, TOO_LARGE, FAILED)},
            "to_go": f"{_is_completed()} AND ({to_go})",
            "left_out": f"{_is_completed()} AND {lacks_any} AND NOT coalesce({to_go}, false)",
        }
        counted = ", ".join(f"count(CASE WHEN {condition} THEN 1 END) AS {name}" for name, condition in kinds.items())
        rows = self._destination.query_if_there(
            f"SELECT {counted} FROM {REPORTS.name} AS r FULL JOIN {REPORT_CONTENTS.name} AS c ON c.{KEY} = r.id"
        )
        if rows is not None:
            return ContentCounts(*rows[0])
        completed, wanted = (self.find_backlog(each, now, 1).total for each in (ContentScope("all"), scope))
        return ContentCounts(0, 0, 0, 0, to_go=wanted, left_out=completed - wanted)

    def _lacks(self, scope: ContentScope) -> str:
        """SQL for whether a completed report was never asked for in its version, or is to be asked for again."""
        conditions = [
            f"(c.{KEY} IS NULL AND {self._is_wanted(scope)})",
            f"(c.{KEY} IS NOT NULL AND NOT {self._is_of_version()})",
        ]
        if scope.refetch_through is not None:  # the ids of loads are epoch seconds, and sort as texts
            conditions.append(f"c.{LOAD_ID.name} <= '{scope.refetch_through}'")
        return f"coalesce({' OR '.join(conditions)}, false)"

    def _is_wanted(self, scope: ContentScope) -> str:
        """SQL for whether a completed report of which nothing was fetched is not left out."""
        micros = self._destination.adapter.unix_micros
        completed = f"coalesce({micros('r.completed_at')}, {micros('r.updated_at')}, 0)"
        return f"{completed} >= {to_micros(scope.since)}" if scope.since else "1 = 1"

    def _is_due(self, now: datetime) -> str:
        """SQL for whether a report that was asked for in vain is to be asked for again.

        A clock that was ahead delays it no further than by one more pause.
        """
        attempted = self._destination.adapter.unix_micros("c.attempted_at")
        pauses = " ".join(f"WHEN c.attempts <= {attempts} THEN {pause}" for attempts, pause in _list_pauses())
        pause = f"CASE {pauses} ELSE {LAST_PAUSE_MINUTES * MICROS_A_MINUTE} END"
        return (
            f"coalesce(c.status <> '{FETCHED}' AND {self._is_of_version()}"
            f" AND abs({to_micros(now)} - {attempted}) >= {pause}, false)"
        )

    def _is_of_version(self) -> str:
        micros = self._destination.adapter.unix_micros
        return f"coalesce({micros('c.attempted_updated_at')}, 0) = coalesce({micros('r.updated_at')}, 0)"


def _is_completed() -> str:
    return f"r.status = '{COMPLETED}' AND r.deleted_at IS NULL"


def _list_pauses() -> list[tuple[int, int]]:
    """The pauses in microseconds after so many attempts, up to the longest."""
    doubled = [FIRST_PAUSE_MINUTES * 2**times for times in range(LAST_PAUSE_MINUTES.bit_length())]
    pauses = [minutes * MICROS_A_MINUTE for minutes in doubled if minutes < LAST_PAUSE_MINUTES]
    return list(enumerate(pauses, start=1))
