"""Questions to a destination, in the SQL that DuckDB and BigQuery share.

Instants are asked for as microseconds since 1970 and shares as ranks, so that no two destinations round differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dlt.destinations.exceptions import DatabaseUndefinedRelation

from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import LoadFailed

SECOND = 1_000_000
NOT_GIVEN = "not given"
OTHER = "other"
RANKS = (10, 25, 50, 75, 90)


@dataclass(frozen=True)
class Spread:
    """How some values are spread. Each is one that occurs: at least so many per cent are no greater than it.

    Attributes:
        count: How many there are.
        ranks: The values at 10, 25, 50, 75 and 90 per cent.
    """

    count: int
    ranks: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value; the lower one of two."""
        return self.ranks[RANKS.index(50)]


class Inquiry:
    """Asks a destination.

    Args:
        destination: The destination, held.
        now: The instant that ages are told at.
    """

    def __init__(self, destination: DestinationSession, now: datetime) -> None:
        self._destination = destination
        self.now = round(now.timestamp() * SECOND)

    def has(self, table: str) -> bool:
        """Whether a table is there."""
        try:
            self._destination.ask(f"SELECT 1 FROM {table} LIMIT 1")
        except LoadFailed as error:
            if isinstance(error.__cause__, DatabaseUndefinedRelation):
                return False
            raise
        return True

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What a query brings; its tables must be there."""
        return self._destination.ask(query)

    def micros(self, column: str) -> str:
        """A column of instants, in microseconds since 1970."""
        return self._destination.adapter.unix_micros(column)

    def spreads(self, values: str) -> dict[str, Spread]:
        """How values are spread.

        Args:
            values: A query for columns `kind` and `value`; rows where either is null are left out.
        """
        ranks = ", ".join(
            f"max(CASE WHEN place * 100 >= {rank} * total AND (place - 1) * 100 < {rank} * total THEN value END)"
            for rank in RANKS
        )
        found = self.ask(
            f"SELECT kind, max(total), {ranks} FROM (SELECT kind, value,"
            " row_number() OVER (PARTITION BY kind ORDER BY value) AS place, count(*) OVER (PARTITION BY kind) AS total"
            f" FROM ({values}) AS given WHERE kind IS NOT NULL AND value IS NOT NULL) AS ranked GROUP BY kind"
        )
        return {kind: Spread(int(count), tuple(float(value) for value in values)) for kind, count, *values in found}


def instant(micros: int | None) -> datetime | None:
    """The instant that so many microseconds since 1970 are; None where none are given."""
    return None if micros is None else datetime.fromtimestamp(micros // SECOND, UTC)


def one_of(column: str, names: Iterable[str]) -> str:
    """A column whose values are some names; for all others one name stands, and for null another."""
    named = f"WHEN {column} IN ({quote(names)}) THEN {column}"
    return f"CASE {named} WHEN {column} IS NULL THEN '{NOT_GIVEN}' ELSE '{OTHER}' END"


def quote(names: Iterable[str]) -> str:
    """Names as SQL's texts, with commas between them."""
    return ", ".join(f"'{name}'" for name in names)
