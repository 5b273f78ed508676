"""The floor: the least that fills the same tables, written by hand for this API alone.

Pages are downloaded, their rows written as newline-delimited JSON, and DuckDB's C++ does the rest: one `read_json` with
declared columns, one delete and one insert a table. No checks, no retries, no state but a watermark.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import orjson
import requests
from pages import RESOURCES, read_pages

DATABASE = "floor.duckdb"
STAMPS = {"created_at": "TIMESTAMPTZ", "updated_at": "TIMESTAMPTZ"}
TEXTS = "id warehouse_id title description category priority status effort assignee notes url"
MEASURES = ("current_value", "projected_value", "increase_percentage", "confidence")
IMPACT = f"STRUCT(metric VARCHAR, {', '.join(f'{name} DOUBLE' for name in MEASURES)})"
FIELDS: dict[str, dict[str, str]] = {
    "tickets": {
        **dict.fromkeys(TEXTS.split(), "VARCHAR"),
        "estimated_impact": IMPACT,
        "action_items": "VARCHAR[]",
        "supporting_data": "JSON",
        **STAMPS,
    },
    "reports": {
        **dict.fromkeys(["id", "warehouse_id", "status", "prompt", "url", "stream_url"], "VARCHAR"),
        "summary": "STRUCT(total_queries BIGINT, total_insights BIGINT, key_findings VARCHAR[])",
        "metadata": "JSON",
        **STAMPS,
        "completed_at": "TIMESTAMPTZ",
        "estimated_completion": "TIMESTAMPTZ",
    },
    "warehouses": {**dict.fromkeys(["id", "name", "type", "status"], "VARCHAR"), **STAMPS},
}
# How a row of the API stands in its table, and the list that becomes a child table.
COLUMNS = {
    "tickets": "* EXCLUDE (estimated_impact, action_items), estimated_impact.*",
    "reports": "* EXCLUDE (summary), summary.total_queries, summary.total_insights",
    "warehouses": "*",
}
LISTS = {
    "tickets": ("tickets__action_items", "action_items"),
    "reports": ("reports__key_findings", "summary.key_findings"),
}


def main() -> None:
    """Load what changed since the last run, or everything."""
    with duckdb.connect(DATABASE) as database, requests.Session() as session:
        database.execute("CREATE TABLE IF NOT EXISTS watermarks (resource VARCHAR PRIMARY KEY, told_at VARCHAR)")
        known: dict[str, Any] = dict(database.execute("FROM watermarks").fetchall())
        for resource in RESOURCES:
            load(database, session, resource, known.get(resource))


def load(database: duckdb.DuckDBPyConnection, session: requests.Session, resource: str, since: str | None) -> None:
    """Download one resource and merge it."""
    path = Path(f"{resource}.ndjson")
    asked = {"updated_after": since} if since else {}
    told_at = None
    rows = 0
    with path.open("wb") as file:
        for page in read_pages(session, resource, sort="updated_at", **asked):
            # What changes behind the reader is stamped later than this, and asked for by the next run.
            told_at = told_at or page["meta"]["timestamp"]
            rows += len(page["data"])
            file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in page["data"])
    with database.cursor() as transaction:
        transaction.begin()
        if rows:
            merge(transaction, resource, path)
        # Written out: for a parameter DuckDB would import pandas, which takes 0.7 s.
        transaction.execute(f"INSERT OR REPLACE INTO watermarks VALUES ('{resource}', '{told_at}')")
        transaction.commit()
    path.unlink()


def merge(database: duckdb.DuckDBPyConnection, resource: str, path: Path) -> None:
    """Put the rows of a file in the place of their older versions, with their lists; a row may have come twice."""
    database.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS "
        f"FROM read_json('{path}', format = 'newline_delimited', columns = {FIELDS[resource]}) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC) = 1"
    )
    replace(database, resource, "id", f"SELECT {COLUMNS[resource]} FROM fresh")
    if resource in LISTS:
        table, items = LISTS[resource]
        listed = f"unnest({items}) AS value, generate_subscripts({items}, 1) - 1 AS position"
        replace(database, table, "parent_id", f"SELECT id AS parent_id, {listed} FROM fresh")


def replace(database: duckdb.DuckDBPyConnection, table: str, key: str, rows: str) -> None:
    """Delete what the fresh rows replace, and insert them."""
    database.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM ({rows}) LIMIT 0")
    database.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT id FROM fresh)")
    database.execute(f"INSERT INTO {table} BY NAME {rows}")


if __name__ == "__main__":
    main()
