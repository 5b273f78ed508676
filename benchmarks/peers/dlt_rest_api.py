"""dlt's own `rest_api` source, declared as its documentation shows; `--parquet` asks for Parquet files on the way."""

from __future__ import annotations

import os
import sys
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source


def list_of(name: str) -> dict[str, Any]:
    """One resource that asks for what was updated since the last run."""
    asked = {"updated_after": "{incremental.start_value}", "sort": "updated_at"}
    since = {"cursor_path": "updated_at", "initial_value": "1970-01-01T00:00:00Z"}
    return {"name": name, "endpoint": {"path": name, "params": asked, "incremental": since}}


SOURCE: Any = {
    "client": {
        "base_url": os.environ["SOURCES__COGNY__BASE_URL"],
        "auth": {"type": "bearer", "token": os.environ["SOURCES__COGNY__API_KEY"]},
        "paginator": {"type": "cursor", "cursor_path": "pagination.next_cursor", "cursor_param": "cursor"},
    },
    "resource_defaults": {
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"params": {"limit": 100}, "data_selector": "data"},
    },
    "resources": [
        list_of("tickets"),
        list_of("reports"),
        {"name": "warehouses", "endpoint": {"path": "warehouses", "paginator": "single_page"}},
    ],
}

if __name__ == "__main__":
    pipeline = dlt.pipeline("peer", destination=dlt.destinations.duckdb("peer.duckdb"), dataset_name="peer_data")
    pipeline.run(rest_api_source(SOURCE), loader_file_format="parquet" if "--parquet" in sys.argv else None)
