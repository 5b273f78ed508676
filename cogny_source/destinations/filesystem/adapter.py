"""The adapter for folders and buckets."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import dlt
from dlt.destinations.sql_client import SqlClientBase
from filelock import BaseFileLock, Timeout

from cogny_source.destinations.adapter import Columns
from cogny_source.destinations.filesystem.dlt_client import LakeSqlClient, lake
from cogny_source.destinations.filesystem.models import open_folder_models
from cogny_source.destinations.model_store import ModelsPlace, ModelStore
from cogny_source.destinations.sql import SqlAdapter


class FilesystemAdapter(SqlAdapter):
    """A folder, or a prefix in a bucket; DuckDB reads its files."""

    def unix_micros(self, column: str) -> str:
        """DuckDB's SQL that converts a timestamp column to microseconds since 1970."""
        return f"epoch_us({column})"

    def make_lock(self, pipeline: dlt.Pipeline) -> BaseFileLock | None:
        """The lock of a local folder; None for a bucket."""
        return cast(lake, pipeline.destination).make_lock()

    def is_held(self, error: Exception) -> bool:
        """Whether an error means that another process has locked the folder."""
        return isinstance(error, Timeout)

    def list_states(self, client: SqlClientBase[Any], pipeline_name: str) -> set[str]:
        """The load ids of a pipeline's states, which are files."""
        return cast(LakeSqlClient, client).list_states(pipeline_name)

    def read_states(self, client: SqlClientBase[Any], pipeline_name: str, load_ids: set[str]) -> list[str]:
        """The states of some load packages, the oldest first."""
        return cast(LakeSqlClient, client).read_states(pipeline_name, load_ids)

    def find_losses(self, client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:
        """Find tables and columns that are missing in the files; table name to a sentence about it."""
        return cast(LakeSqlClient, client).find_losses(tables)

    def open_models(self, client: SqlClientBase[Any], place: ModelsPlace) -> AbstractContextManager[ModelStore]:
        """The models in a DuckDB file beside the folder."""
        return open_folder_models(cast(LakeSqlClient, client), place)
