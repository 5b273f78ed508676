"""All destinations. A new one needs a package in this folder and an entry here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cogny_source.destinations import bigquery, duckdb, filesystem
from cogny_source.destinations.registration import Registration
from cogny_source.errors import ConfigError
from cogny_source.schema import ColumnType

if TYPE_CHECKING:
    import dlt

    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.session import DestinationSession

REGISTRATIONS: Mapping[str, Registration] = {
    entry.name: entry for entry in (duckdb.REGISTRATION, filesystem.REGISTRATION, bigquery.REGISTRATION)
}


def list_column_types() -> dict[str, Mapping[ColumnType, str]]:
    """Storage format to the name that it gives each column type."""
    return {name: types for entry in REGISTRATIONS.values() for name, types in entry.column_types.items()}


def find_adapter(pipeline: dlt.Pipeline) -> DestinationAdapter:
    """The adapter of a pipeline's destination; `SqlAdapter` for a destination that is not registered.

    Raises:
        ConfigError: If the destination would store rows twice.
    """
    kind = _find_type(pipeline) or ""
    for registration in REGISTRATIONS.values():
        if kind in registration.refused:
            raise ConfigError(registration.refused[kind])
        if kind in registration.adapters:
            return registration.adapters[kind]()
    from cogny_source.destinations.sql import SqlAdapter

    return SqlAdapter()


def check_supported(pipeline: dlt.Pipeline) -> None:
    """Refuse a destination with which `sync()` is not tested: rows could be wrong there without an error.

    Raises:
        ConfigError: If the destination is not supported or not set, or would store rows twice.
    """
    from cogny_source.destinations.sql import POSTGRES

    kind = _find_type(pipeline)
    if kind is None:
        raise ConfigError("the pipeline has no destination: pass one to dlt.pipeline")
    find_adapter(pipeline)
    if any(kind in registration.adapters for registration in REGISTRATIONS.values()):
        return
    alternative = ", or plain pipeline.run(cogny_source()), which is exact there" if kind == POSTGRES else ""
    names = [registration.python for registration in REGISTRATIONS.values()]
    raise ConfigError(
        f"sync() is not tested with dlt's destination {kind.rpartition('.')[2]} and does not load into it: use"
        f" {', '.join(names[:-1])} or {names[-1]}{alternative}"
    )


def open_session(
    pipeline: dlt.Pipeline, wait_seconds: float, sleep: Callable[[float], None] = time.sleep
) -> DestinationSession:
    """A session with a pipeline's destination; the first query or load connects it.

    Args:
        pipeline: The pipeline.
        wait_seconds: How long to wait for a DuckDB file or a folder that another process has locked.
        sleep: Waits that many seconds; may raise `Stopped`.

    Raises:
        ConfigError: If the destination would store rows twice.
    """
    from cogny_source.destinations.session import DestinationSession

    return DestinationSession(pipeline, find_adapter(pipeline), wait_seconds, sleep)


def _find_type(pipeline: dlt.Pipeline) -> str | None:
    return None if pipeline.destination is None else pipeline.destination.destination_type
