"""All that happens before a destination's own work: pages to Arrow, and to the files that would be loaded.

Run with the destination's name: duckdb, filesystem or bigquery. Nothing is loaded, so that no account is needed.
"""

from __future__ import annotations

import sys
from typing import Any

import dlt

from cogny_source import cogny_source

DESTINATIONS: dict[str, Any] = {
    "duckdb": lambda: dlt.destinations.duckdb("extract.duckdb"),
    "bigquery": lambda: dlt.destinations.bigquery(
        credentials={"project_id": "none", "private_key": "none", "client_email": "none@example.com"}
    ),
}

if __name__ == "__main__":
    name = sys.argv[1]
    pipeline = dlt.pipeline(f"extract_{name}", destination=DESTINATIONS[name](), dataset_name="cogny_data")
    pipeline.extract(cogny_source(), loader_file_format="jsonl" if name == "bigquery" else "parquet")
    pipeline.normalize()
