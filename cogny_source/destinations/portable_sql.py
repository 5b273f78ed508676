"""Queries in the SQL that DuckDB and BigQuery share.

They return timestamps as microseconds since 1970 and distributions as ranks, so that all destinations round alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cogny_source.destinations.session import DestinationSession

SECOND = 1_000_000
NOT_GIVEN = "not given"
OTHER = "other"
RANKS = (10, 25, 50, 75, 90)


@dataclass(frozen=True)
class Spread:
    """The distribution of values.

    Attributes:
        count: The number of values.
        ranks: The values at 10, 25, 50, 75 and 90 per cent: for each, the smallest value such that at least that
            share of all values is no greater. None is interpolated.
    """

    count: int
    ranks: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median; of two middle values the lower one."""
        return self.ranks[RANKS.index(50)]


class Inquiry:
    """Queries a destination.

    Args:
        destination: The connected destination.
        now: The instant at which ages are computed.

    Attributes:
        now: That instant in microseconds since 1970.
    """

    def __init__(self, destination: DestinationSession, now: datetime) -> None:
        self._destination = destination
        self.now = round(now.timestamp() * SECOND)

    def has(self, table: str) -> bool:
        """Whether a table exists."""
        return self._destination.query_if_there(f"SELECT 1 FROM {table} LIMIT 1") is not None

    def query(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; its tables must exist."""
        return self._destination.query(query)

    def query_or_empty(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none if one of its tables does not exist."""
        return self._destination.query_if_there(query) or []

    def micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""
        return self._destination.adapter.unix_micros(column)

    def spreads(self, values: str) -> dict[str, Spread]:
        """The distribution of values by kind.

        Args:
            values: A query for columns `kind` and `value`; rows where either is null are left out.
        """
        ranks = ", ".join(
            f"max(CASE WHEN place * 100 >= {rank} * total AND (place - 1) * 100 < {rank} * total THEN value END)"
            for rank in RANKS
        )
        rows = self.query(
            f"SELECT kind, max(total), {ranks} FROM (SELECT kind, value,"
            " row_number() OVER (PARTITION BY kind ORDER BY value) AS place, count(*) OVER (PARTITION BY kind) AS total"
            f" FROM ({values}) AS given WHERE kind IS NOT NULL AND value IS NOT NULL) AS ranked GROUP BY kind"
        )
        return {kind: Spread(int(count), tuple(float(value) for value in values)) for kind, count, *values in rows}


def instant(micros: int | None) -> datetime | None:
    """The instant of microseconds since 1970, to the second; None for None."""
    return None if micros is None else datetime.fromtimestamp(micros // SECOND, UTC)


def one_of(column: str, names: Iterable[str]) -> str:
    """SQL for a column that keeps some values and replaces all others by `OTHER`, and null by `NOT_GIVEN`."""
    named = f"WHEN {column} IN ({quote(names)}) THEN {column}"
    return f"CASE {named} WHEN {column} IS NULL THEN '{NOT_GIVEN}' ELSE '{OTHER}' END"


def quote(names: Iterable[str]) -> str:
    """Names as SQL string literals, separated by commas."""
    return ", ".join(f"'{name}'" for name in names)
