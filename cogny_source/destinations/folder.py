"""A folder, or a prefix in an object store, of Parquet files or Delta tables."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from cogny_source.destinations.target import Target, check_dataset, show_python
from cogny_source.errors import ConfigError

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
# Scheme to the module that reads it, and the extra that brings it.
FILE_SYSTEMS = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs")}


def make_folder_target(bucket_url: str, dataset: str | None, table_format: Literal["parquet", "delta"]) -> Target:
    """A folder as a target.

    Args:
        bucket_url: A local folder, `s3://…` or `gs://…`.
        dataset: A folder in it; None for the folder itself.
        table_format: What its tables are.

    Raises:
        ConfigError: If the URL is of another kind, or what it needs is not installed.
    """
    scheme = SCHEME.match(bucket_url)
    if scheme is None or scheme[1] == "file":
        url = str(Path(bucket_url.removeprefix("file://")).expanduser().resolve())
    elif scheme[1] not in FILE_SYSTEMS:
        raise ConfigError(f"--bucket-url is {bucket_url!r}; name a folder, s3://... or gs://...")
    else:
        url = bucket_url.rstrip("/")
        _require(*FILE_SYSTEMS[scheme[1]])
    if dataset is not None:
        check_dataset(dataset)
        url = f"{url}/{dataset}"
    if table_format == "delta":
        _require("deltalake", "delta")
    if Path(url).exists() and not Path(url).is_dir():
        raise ConfigError(f"--bucket-url {bucket_url} is a file: name a folder")

    def make() -> Any:
        from cogny_source.destinations.lake import open_folder

        return open_folder(url, table_format)

    return Target(
        make,
        "cogny_data",  # names the views of dlt's SQL client; the folder itself is the dataset
        identity=f"{url} {table_format}",
        show=_show(url, table_format),
        world=None if SCHEME.match(url) else Path(f"{url}.sandbox.json"),
    )


def _show(url: str, table_format: str) -> str:
    if table_format == "delta":
        code = f"from deltalake import DeltaTable; print(DeltaTable('{url}/tickets').to_pyarrow_table())"
    elif SCHEME.match(url):
        code = f"import pyarrow.parquet as pq; print(pq.read_table('{url}/tickets'))"
    else:
        code = f"import duckdb; duckdb.read_parquet('{url}/tickets/*.parquet').show()"
    return f'{show_python()} -c "{code}"'


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ConfigError(f"{module} is not installed: pip install 'cogny-source[{extra}]'")
