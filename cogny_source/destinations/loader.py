"""Packages loaded by dlt: extracted, normalised, and merged by the destination's own jobs."""

from __future__ import annotations

from cogny_source.destinations.adapter import Session
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.records.package import Package


class DltLoader:
    """Loads packages as dlt loads a source; what a table lacks, dlt makes with the next load.

    Args:
        session: Where they are loaded.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the destination refuses it.
        """
        return self._session.load(make_package_source(package, self._session.adapter))

    def load_states(self, package: Package) -> None:
        """Commit a package that holds states alone.

        Raises:
            LoadFailed: If the destination refuses it.
        """
        self.load(package)

    def remake_tables(self, package: Package) -> None:
        """Leave it to the next load."""
