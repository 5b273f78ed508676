"""Sync the Cogny API into a BigQuery dataset; `--help` shows the options."""

from cogny_source.cli import sync_command

if __name__ == "__main__":
    sync_command("bigquery")()
