"""A DuckDB file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cogny_source.destinations.target import Target, check_dataset, show_python
from cogny_source.errors import ConfigError


def make_duckdb_target(database: Path, dataset: str) -> Target:
    """A DuckDB file as a target.

    Args:
        database: The file; made where it is not there.
        dataset: The schema in it.

    Raises:
        ConfigError: If the file cannot be there, or cannot hold the dataset.
    """
    if not database.parent.is_dir():
        raise ConfigError(f"the folder {database.parent} does not exist")
    check_dataset(dataset)
    if database.stem in (dataset, f"{dataset}_staging") or str(database) == ":memory:":
        raise ConfigError(f"--database {database} cannot hold the dataset {dataset}: name another file")

    def make() -> Any:
        from cogny_source.destinations.duckdb_client import MergingDuckDb

        return MergingDuckDb(str(database))

    return Target(
        make,
        dataset,
        identity=f"{database.resolve()} {dataset}",
        show=f"{show_python()} -c \"import duckdb; duckdb.connect('{database}').sql('FROM {dataset}.tickets').show()\"",
        world=database.with_name(f"{database.name}.sandbox.json"),
    )
