"""Sync the Cogny API into a DuckDB file; `--help` shows the options."""

from cogny_source.cli import sync_to_duckdb

if __name__ == "__main__":
    sync_to_duckdb()
