"""SQL databases into which dlt loads and merges rows."""

from __future__ import annotations

from cogny_source.destinations.adapter import DestinationAdapter, PackageLoader, Session
from cogny_source.destinations.loader import DltLoader

# Tested with a plain `pipeline.run(cogny_source())`, which loads exactly.
POSTGRES = "dlt.destinations.postgres"


class SqlAdapter(DestinationAdapter):
    """A database into which dlt loads: used for a plain `pipeline.run()`, and the base of other adapters."""

    def make_loader(self, session: Session) -> PackageLoader:
        """The loader that uses dlt."""
        return DltLoader(session)

    def unix_micros(self, column: str) -> str:
        """SQL that converts a timestamp column to microseconds since 1970."""
        return f"CAST(ROUND(EXTRACT(EPOCH FROM {column}) * 1000000) AS BIGINT)"
