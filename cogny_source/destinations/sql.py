"""SQL databases that dlt loads into and merges by itself."""

from __future__ import annotations

from cogny_source.destinations.adapter import DestinationAdapter, PackageLoader, Session
from cogny_source.destinations.loader import DltLoader

# A plain `pipeline.run(cogny_source())` into it was tried, and is exact.
POSTGRES = "dlt.destinations.postgres"


class SqlAdapter(DestinationAdapter):
    """A database that dlt loads into; by itself for a plain `pipeline.run()`, and the base of others."""

    def make_loader(self, session: Session) -> PackageLoader:
        """The loader that leaves the work to dlt."""
        return DltLoader(session)

    def unix_micros(self, column: str) -> str:
        """SQL for a column of instants as microseconds since 1970."""
        return f"CAST(ROUND(EXTRACT(EPOCH FROM {column}) * 1000000) AS BIGINT)"
