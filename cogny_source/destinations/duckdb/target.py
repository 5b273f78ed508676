"""A DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cogny_source.destinations.duckdb.database_file import check_kind, holds_database, remove_stub
from cogny_source.destinations.target import Target, check_dataset, check_text, show_python
from cogny_source.errors import ConfigError, LoadFailed

SCRATCH = "cogny_check"
# A schema of every database, by which dlt looks for tables.
INFORMATION_SCHEMA = "information_schema"


def make_duckdb_target(database: Path, dataset: str) -> Target:
    """A DuckDB file as a target.

    Args:
        database: The file; made where it is not there.
        dataset: The schema in it.

    Raises:
        ConfigError: If the file cannot be there, or cannot hold the dataset.
    """
    check_text("--database", str(database.absolute()))
    check_kind(database)
    if not database.parent.is_dir():
        raise ConfigError(f"the folder {database.parent} does not exist")
    check_dataset(dataset)
    # DuckDB names the database after its file, up to the first dot, and takes capital letters for small ones.
    if database.name.partition(".")[0].lower() in (dataset, f"{dataset}_staging", INFORMATION_SCHEMA):
        raise ConfigError(f"--database {database} cannot hold the dataset {dataset}: name another file")
    if str(database) == ":memory:":
        raise ConfigError("--database :memory: would be gone when the command ends: name a file")

    def make() -> Any:
        from cogny_source.destinations.duckdb.dlt_client import MergingDuckDb

        return MergingDuckDb(str(database))

    def make_reader() -> Any:
        from cogny_source.destinations.dlt_internals import DuckDbCredentials
        from cogny_source.destinations.duckdb.dlt_client import MergingDuckDb

        return MergingDuckDb(DuckDbCredentials(str(database), read_only=True))

    def prepare() -> None:
        holds_database(database)
        remove_stub(database)

    return Target(
        make,
        dataset,
        make_reader=make_reader,
        identity=f"{database.resolve()} {dataset}",
        show=f"{show_python()} -c \"import duckdb; duckdb.connect('{database}').sql('FROM {dataset}.tickets').show()\"",
        probe=lambda: probe(database),
        world=database.with_name(f"{database.name}.sandbox.json"),
        is_there=lambda: holds_database(database),
        prepare=prepare,
    )


def probe(database: Path) -> Iterator[str]:
    """Open the file, write into it, and take that back; a file that was not there is removed.

    Yields:
        A line, when that works.

    Raises:
        LoadFailed: If it does not.
        ConfigError: If a later version of DuckDB made the file.
    """
    import duckdb

    from cogny_source.destinations.duckdb_engine import LOCKED, explain_version

    was_there = database.exists()
    try:
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"BEGIN; CREATE TABLE {SCRATCH} AS SELECT 1 AS value; ROLLBACK")
    except (duckdb.Error, OSError) as exc:
        if LOCKED in str(exc):
            yield f"{database}: another process holds it, so that writing was not tried"
            return
        raise explain_version(exc) or LoadFailed(f"{database} cannot be written: {str(exc).splitlines()[0]}") from exc
    finally:
        if not was_there:
            database.unlink(missing_ok=True)
    yield f"{database}: can be opened and written"
