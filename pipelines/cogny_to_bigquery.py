"""Sync the Cogny API into a BigQuery dataset; `--help` shows the options."""

from cogny_source.cli import sync_to_bigquery

if __name__ == "__main__":
    sync_to_bigquery()
