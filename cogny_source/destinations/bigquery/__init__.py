"""The destination BigQuery: its registration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cogny_source.destinations.registration import DATASET, Option, Registration

if TYPE_CHECKING:
    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.target import Target

DLT_TYPE = "dlt.destinations.bigquery"
SYNC_HELP = """Sync the Cogny API into a BigQuery dataset.

\b
Examples:
  cogny sync bigquery --project growth-analytics-123 --location EU --check
  cogny sync bigquery --project growth-analytics-123 --location EU
"""


def _make_target(place: Mapping[str, Any]) -> Target:
    from cogny_source.destinations.bigquery.target import Place, make_bigquery_target

    return make_bigquery_target(
        Place(place["project"], place["dataset"] or DATASET, place["location"], place["staging"])
    )


def _make_adapter() -> DestinationAdapter:
    from cogny_source.destinations.bigquery.adapter import BigQueryAdapter

    return BigQueryAdapter()


REGISTRATION = Registration(
    name="bigquery",
    python="bigquery",
    sync_help=SYNC_HELP,
    options=(
        Option("project", "The Google Cloud project. Default: that of the credentials."),
        Option("dataset", f"The dataset; only for this pipeline. Default: {DATASET}."),
        Option("location", "The location of a new dataset, such as EU. Default: US."),
        Option("staging", "A bucket through which files are loaded, gs://... Default: none."),
    ),
    column_types={
        "BigQuery": {
            "text": "STRING",
            "double": "FLOAT64",
            "bigint": "INT64",
            "bool": "BOOL",
            "json": "JSON",
            "timestamp": "TIMESTAMP",
        }
    },
    make_target=_make_target,
    adapters={DLT_TYPE: _make_adapter},
)
