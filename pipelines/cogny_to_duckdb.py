"""Sync the Cogny API into a DuckDB file; `--help` shows the options."""

from cogny_source.__main__ import sync_into

if __name__ == "__main__":
    sync_into("duckdb")
