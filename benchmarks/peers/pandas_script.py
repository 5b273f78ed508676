"""A script as one writes it with pandas: rows as dicts, `json_normalize`, `explode`, and DuckDB for the upsert."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pandas as pd
import requests
from pages import RESOURCES, read_pages

DATABASE = "pandas.duckdb"
STAMPS = ["created_at", "updated_at", "completed_at", "estimated_completion"]
FREE_FORM = ["supporting_data", "metadata"]
LISTS = {"tickets": "action_items", "reports": "summary.key_findings"}


def main() -> None:
    """Load what changed since the last run, or everything."""
    with duckdb.connect(DATABASE) as database, requests.Session() as session:
        database.execute("CREATE TABLE IF NOT EXISTS watermarks (resource VARCHAR PRIMARY KEY, newest TIMESTAMPTZ)")
        for resource in RESOURCES:
            load(database, session, resource)


def load(database: duckdb.DuckDBPyConnection, session: requests.Session, resource: str) -> None:
    """Download one resource and merge it."""
    known = database.execute("SELECT newest FROM watermarks WHERE resource = ?", [resource]).fetchone()
    asked = {"updated_after": known[0].isoformat()} if known else {}
    pages = read_pages(session, resource, sort="updated_at", **asked)
    rows = [row for page in pages for row in page["data"]]
    if not rows:
        return
    frame, lists = flatten(rows, LISTS.get(resource))
    database.begin()
    upsert(database, resource, frame, "id", frame)
    if lists is not None:
        upsert(database, f"{resource}__items", lists, "parent_id", frame)
    if "updated_at" in frame:
        newest = frame["updated_at"].max().isoformat()
        database.execute("INSERT OR REPLACE INTO watermarks VALUES (?, ?)", [resource, newest])
    database.commit()


def flatten(rows: list[dict[str, Any]], items: str | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Rows as a table and a table of the elements of their list."""
    for row in rows:
        for name in FREE_FORM:
            if name in row:
                row[name] = json.dumps(row[name])
    frame = pd.json_normalize(rows)
    for name in frame.columns.intersection(STAMPS):
        frame[name] = pd.to_datetime(frame[name], format="ISO8601", utc=True)
    # DuckDB would take a column without a value for one of numbers.
    empty = frame.columns[frame.isna().all()].difference(STAMPS)
    frame = frame.astype(dict.fromkeys(empty, "string")).drop_duplicates("id", keep="last")
    if items is None:
        return frame, None
    if items not in frame:  # no report of these has a summary
        frame[items] = None
    lists = frame[["id", items]].rename(columns={"id": "parent_id", items: "value"}).explode("value").dropna()
    lists["position"] = lists.groupby("parent_id").cumcount()
    return frame.drop(columns=items), lists.astype({"value": "string"})


def upsert(
    database: duckdb.DuckDBPyConnection, table: str, fresh: pd.DataFrame, key: str, parents: pd.DataFrame
) -> None:
    """Delete what the fresh rows replace, and insert them."""
    database.register("fresh", fresh)
    database.register("parents", parents)
    database.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM fresh LIMIT 0")
    database.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT id FROM parents)")
    database.execute(f"INSERT INTO {table} BY NAME FROM fresh")


if __name__ == "__main__":
    main()
