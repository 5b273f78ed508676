"""The API's lists, and how each is replicated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cogny_source.errors import ConfigError
from cogny_source.schema import REPORTS, TICKETS, WAREHOUSES, TableSpec


@dataclass(frozen=True)
class Endpoint:
    """One list.

    Attributes:
        path: The path below the base URL.
        scope: The scope a key needs for it.
        table: The table for its rows.
        whole: Whether each sync reads the full table: few rows, without documented timestamps.
    """

    path: str
    scope: str
    table: TableSpec
    whole: bool = False

    @property
    def name(self) -> str:
        """The resource's name, equal to its table's."""
        return self.table.name


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("/tickets", "tickets:read", TICKETS),
        Endpoint("/reports", "reports:read", REPORTS),
        Endpoint("/warehouses", "warehouses:read", WAREHOUSES, whole=True),
    )
}


def select_resources(names: Sequence[str] | None) -> list[str]:
    """Check resource names that a person gave.

    Returns:
        The names in the source's order; all names if none are given.

    Raises:
        ConfigError: If a name is unknown.
    """
    unknown = sorted(set(names or ()) - set(ENDPOINTS))
    if unknown:
        raise ConfigError(f"unknown resource {', '.join(unknown)}; there are {', '.join(ENDPOINTS)}")
    return [name for name in ENDPOINTS if not names or name in names]
