"""How packages get into the destination: by a transaction of DuckDB where their tables are there, else by dlt."""

from __future__ import annotations

from dlt.common.storages.load_package import create_load_id

from cogny_source.engine.commit import Committer, SchemaVersion, find_schema
from cogny_source.engine.destination import Destination, loads_into_duckdb
from cogny_source.source import Package, make_package_source


class Loader:
    """Loads packages.

    Args:
        destination: Where they are loaded.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._schema: SchemaVersion | None = None
        self._laid_out: set[str] = set()

    def load(self, package: Package) -> set[str]:
        """Load a package; returns the ids of its loads.

        Raises:
            LoadFailed: If the destination refuses it.
        """
        destination, pipeline = self._destination, self._destination.pipeline
        if not loads_into_duckdb(pipeline):
            return destination.load(make_package_source(package))
        load_ids: set[str] = set()
        with destination.hold() as client:
            if not self._knows_tables(package):
                load_ids = destination.load(make_package_source(package.without_rows()))
            # Where dlt was told to lay tables out otherwise, it alone knows how.
            if not self._knows_tables(package) or self._schema is None:
                return load_ids | destination.load(make_package_source(package))
            load_id = create_load_id()
            with destination.naming_failures(load_id):
                Committer(destination, client, self._schema).commit(package, load_id)
        return load_ids | {load_id}

    def _knows_tables(self, package: Package) -> bool:
        """Whether the tables of a package are there as declared; dlt reads its schema from a file each time."""
        if not package.chunks.keys() <= self._laid_out:
            self._schema = find_schema(self._destination.pipeline, package)
            self._laid_out = set(package.chunks) if self._schema else set()
        return self._schema is not None
