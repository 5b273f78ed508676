"""The destination DuckDB: its registration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogny_source.destinations.registration import DATASET, Option, Registration

if TYPE_CHECKING:
    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.target import Target

DLT_TYPE = "dlt.destinations.duckdb"
SYNC_HELP = """Sync the Cogny API into a DuckDB file.

\b
Examples:
  cogny sync duckdb --sandbox
  cogny sync duckdb --database growth.duckdb --resources tickets,reports
  cogny sync duckdb --start-date 2025-01-01 --end-date 2025-02-01
"""


def _make_target(place: Mapping[str, Any]) -> Target:
    from cogny_source.destinations.duckdb.target import make_duckdb_target

    return make_duckdb_target(Path(place["database"]), place["dataset"] or DATASET)


def _make_adapter() -> DestinationAdapter:
    from cogny_source.destinations.duckdb.adapter import DuckDbAdapter

    return DuckDbAdapter()


def _make_motherduck_adapter() -> DestinationAdapter:
    from cogny_source.destinations.duckdb.adapter import MotherDuckAdapter

    return MotherDuckAdapter()


REGISTRATION = Registration(
    name="duckdb",
    python="duckdb",
    sync_help=SYNC_HELP,
    options=(
        Option("database", "The DuckDB file.", default="cogny.duckdb", is_file=True),
        Option("dataset", f"The dataset (schema) of the tables. Default: {DATASET}."),
    ),
    column_types={
        "DuckDB": {
            "text": "VARCHAR",
            "double": "DOUBLE",
            "bigint": "BIGINT",
            "bool": "BOOLEAN",
            "json": "JSON",
            "timestamp": "TIMESTAMP WITH TIME ZONE",
        }
    },
    make_target=_make_target,
    adapters={
        DLT_TYPE: _make_adapter,
        "dlt.destinations.motherduck": _make_motherduck_adapter,
    },
)
