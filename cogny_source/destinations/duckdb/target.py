"""A DuckDB file as a target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cogny_source.destinations.duckdb.database_file import check_kind, holds_database, remove_stub
from cogny_source.destinations.target import Target, check_dataset, check_text
from cogny_source.errors import ConfigError, LoadFailed

SCRATCH = "cogny_check"
# A schema of every database, in which dlt looks up tables.
INFORMATION_SCHEMA = "information_schema"


def make_duckdb_target(database: Path, dataset: str) -> Target:
    """A DuckDB file as a target.

    Args:
        database: The file; created if it does not exist.
        dataset: The schema in it.

    Raises:
        ConfigError: If the file cannot be read or created, or cannot hold the dataset.
    """
    check_text("--database", str(database.absolute()))
    check_kind(database)
    if not database.parent.is_dir():
        raise ConfigError(f"the folder {database.parent} does not exist")
    check_dataset(dataset)
    # DuckDB names the database after its file, up to the first dot, and ignores case.
    if database.name.partition(".")[0].lower() in (dataset, f"{dataset}_staging", INFORMATION_SCHEMA):
        raise ConfigError(f"--database {database} cannot hold the dataset {dataset}: name another file")
    if str(database) == ":memory:":
        raise ConfigError("--database :memory: would be gone when the command ends: name a file")

    def make() -> Any:
        from cogny_source.destinations.duckdb.dlt_client import MergingDuckDb

        return MergingDuckDb(str(database))

    def make_reader() -> Any:
        from cogny_source.destinations.duckdb.dlt_client import open_read_only

        return open_read_only(database)

    def prepare() -> None:
        holds_database(database)
        remove_stub(database)

    return Target(
        make,
        dataset,
        make_reader=make_reader,
        identity=f"{database.resolve()} {dataset}",
        probe=lambda: probe(database),
        world=database.with_name(f"{database.name}.sandbox.json"),
        is_there=lambda: holds_database(database),
        prepare=prepare,
    )


def probe(database: Path) -> Iterator[str]:
    """Open the file, write into it and roll back; a new file is removed.

    Yields:
        A line about the result.

    Raises:
        LoadFailed: If the file cannot be written.
        ConfigError: If a newer version of DuckDB made the file.
    """
    import duckdb

    from cogny_source.destinations.duckdb_engine import LOCKED, explain_version

    was_there = database.exists()
    try:
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"BEGIN; CREATE TABLE {SCRATCH} AS SELECT 1 AS value; ROLLBACK")
    except (duckdb.Error, OSError) as exc:
        if LOCKED in str(exc):
            yield f"{database}: another process has it open, so writing was not tested"
            return
        raise explain_version(exc) or LoadFailed(f"{database} cannot be written: {str(exc).splitlines()[0]}") from exc
    finally:
        if not was_there:
            database.unlink(missing_ok=True)
    yield f"{database}: can be opened and written"
