"""How a package gets into the destination: by a transaction of DuckDB where its tables are there, else by dlt."""

from __future__ import annotations

from dlt.common.storages.load_package import create_load_id

from cogny_source.engine.commit import Committer, is_laid_out
from cogny_source.engine.destination import Destination, loads_into_duckdb
from cogny_source.source import Package, make_package_source


def load_package(destination: Destination, package: Package) -> set[str]:
    """Load a package; returns the ids of its loads.

    Raises:
        LoadFailed: If the destination refuses it.
    """
    pipeline = destination.pipeline
    if not loads_into_duckdb(pipeline):
        return destination.load(make_package_source(package))
    load_ids: set[str] = set()
    with destination.hold() as client:
        if not is_laid_out(pipeline, package):
            load_ids = destination.load(make_package_source(package.without_rows()))
        # Where dlt was told to lay tables out otherwise, it alone knows how.
        if not is_laid_out(pipeline, package):
            return load_ids | destination.load(make_package_source(package))
        load_id = create_load_id()
        with destination.naming_failures(load_id):
            Committer(pipeline, client).commit(package, load_id)
        return load_ids | {load_id}
