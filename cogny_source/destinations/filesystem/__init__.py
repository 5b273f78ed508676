"""The destination of folders and buckets with Parquet files or Delta tables: its registration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cogny_source.destinations.registration import Option, Registration

if TYPE_CHECKING:
    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.target import Target

SYNC_HELP = """Sync the Cogny API into a folder of Parquet files or Delta tables.

They hold each row once.

\b
Examples:
  cogny sync parquet --sandbox
  cogny sync parquet --bucket-url s3://growth/cogny
  cogny sync parquet --bucket-url exports --table-format delta
"""


def _make_target(place: Mapping[str, Any]) -> Target:
    from cogny_source.destinations.filesystem.target import make_folder_target

    url = place["bucket_url"] or f"cogny_{place['table_format']}"
    return make_folder_target(url, place["dataset"], place["table_format"])


def _make_adapter() -> DestinationAdapter:
    from cogny_source.destinations.filesystem.adapter import FilesystemAdapter

    return FilesystemAdapter()


REGISTRATION = Registration(
    name="parquet",
    python="cogny_source.open_folder(bucket_url)",
    sync_help=SYNC_HELP,
    options=(
        Option("bucket_url", "A folder, s3://... or gs://... Default: cogny_parquet, or cogny_delta."),
        Option(
            "table_format", "Plain Parquet files, or Delta tables.", default="parquet", choices=("parquet", "delta")
        ),
        Option("dataset", "A subfolder for the tables. Default: the folder itself."),
    ),
    column_types={
        "Parquet": {
            "text": "string",
            "double": "double",
            "bigint": "int64",
            "bool": "bool",
            "json": "string",
            "timestamp": "timestamp[us, tz=UTC]",
        },
        "Delta": {
            "text": "string",
            "double": "double",
            "bigint": "long",
            "bool": "boolean",
            "json": "string",
            "timestamp": "timestamp",
        },
    },
    make_target=_make_target,
    adapters={"cogny_source.destinations.filesystem.dlt_client.lake": _make_adapter},
    refused={
        "dlt.destinations.filesystem": "dlt's filesystem destination appends each version of a row: use"
        " cogny_source.open_folder(bucket_url), which stores each row once"
    },
)
