"""dlt's DuckDB client, changed to merge files directly instead of through a staging table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from dlt.common.destination import DestinationCapabilitiesContext, PreparedTableSchema
from dlt.common.destination.client import FollowupJobRequest, HasFollowupJobs, LoadJob, RunnableLoadJob, StateInfo
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb

from cogny_source.destinations.duckdb import DLT_TYPE
from cogny_source.destinations.duckdb.merge import merge_rows
from cogny_source.destinations.load_ids import rise_above_state
from cogny_source.destinations.local_files import read_local

# Hint: no two rows of a package have the same key. Only dlt's own merge removes duplicates.
DEDUPLICATED = "x-stage-data-deduplicated"
KEY_MARKS = {"primary_key", "merge_key"}


class MergeJob(RunnableLoadJob, HasFollowupJobs):
    """Merges a Parquet file into its table in one transaction, which may be repeated.

    dlt's own merge writes each row three times: into the staging table, the table, and both again at the checkpoint.
    """

    def run(self) -> None:
        """Delete the rows with the keys of the file, and insert the file's rows except tombstones."""
        client = cast(DuckDbClient, self._job_client).sql_client
        name = client.make_qualified_table_name(self.load_table_name)
        file = read_local([self._file_path])
        columns = {client.escape_column_name(name): column for name, column in self._load_table["columns"].items()}
        keys = ", ".join(name for name, column in columns.items() if column.keys() & KEY_MARKS)
        tombstones = [name for name, column in columns.items() if column.get("hard_delete")]
        kept = "".join(f" WHERE {name} IS NOT TRUE" for name in tombstones)
        with client.begin_transaction():
            merge_rows(client.execute_sql, name, file, keys, kept)


class MergingDuckDbClient(DuckDbClient):
    """Merges files with distinct keys directly; all other files are loaded as dlt does."""

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        """The newest state; later load ids of this process are greater than its id."""
        return rise_above_state(super().get_stored_state(pipeline_name))

    def should_load_data_to_staging_dataset(self, table_name: str) -> bool:
        """Whether a table's rows are loaded through the staging dataset."""
        staged = super().should_load_data_to_staging_dataset(table_name)
        return staged and not _merges_directly(self.prepare_load_table(table_name))

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """The job for a file of the package."""
        if _merges_directly(table) and file_path.endswith(".parquet"):
            return MergeJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_merge_followup_jobs(self, table_chain: Sequence[PreparedTableSchema]) -> list[FollowupJobRequest]:
        return [] if _merges_directly(table_chain[0]) else super()._create_merge_followup_jobs(table_chain)


class MergingDuckDb(duckdb):
    """dlt's DuckDB destination with that client; settings and pipeline state are those of dlt's own destination."""

    @property
    def destination_type(self) -> str:
        """The type of dlt's own destination."""
        return DLT_TYPE

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        # In parallel, files take as long, and the memory of all of them together.
        capabilities.loader_parallelism_strategy = "sequential"
        return capabilities

    @property
    def client_class(self) -> type[DuckDbClient]:
        """The class of the client."""
        return MergingDuckDbClient


def open_read_only(database: Path) -> MergingDuckDb:
    """A read-only destination: for use beside other readers, or without permission to write the file."""
    return MergingDuckDb(DuckDbCredentials(str(database), read_only=True))


def _merges_directly(table: PreparedTableSchema) -> bool:
    return table["write_disposition"] == "merge" and bool(table.get(DEDUPLICATED))
