"""Sync the Cogny API into a folder of Parquet files; `--help` shows the options."""

from cogny_source.cli import sync_to_parquet

if __name__ == "__main__":
    sync_to_parquet()
