"""Loads packages with dlt: it extracts and normalises them, and the destination's jobs merge them."""

from __future__ import annotations

from cogny_source.destinations.adapter import Session
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.records.package import Package


class DltLoader:
    """Loads packages as dlt sources; dlt creates missing tables and columns with each load.

    Args:
        session: The destination.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the destination refuses the package.
        """
        return self._session.load(make_package_source(package, self._session.adapter))

    def load_states(self, package: Package) -> None:
        """Commit a package that has only states.

        Raises:
            LoadFailed: If the destination refuses the package.
        """
        self.load(package)

    def recreate_tables(self, package: Package) -> None:
        """Do nothing: the next load creates what is missing."""
