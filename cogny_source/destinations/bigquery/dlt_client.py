"""dlt's BigQuery client, made exact for lost jobs and killed runs.

Imported only when BigQuery is used: Google's libraries take a second to load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dlt.common.destination import PreparedTableSchema
from dlt.common.destination.client import FollowupJobRequest, LoadJob, StateInfo
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.impl.bigquery.bigquery import BigQueryClient, BigQueryLoadJob, BigQueryMergeJob
from dlt.destinations.impl.bigquery.configuration import BigQueryClientConfiguration
from dlt.destinations.impl.bigquery.factory import bigquery
from dlt.destinations.job_client_impl import SqlLoadJob
from dlt.destinations.job_impl import ReferenceFollowupJobRequest
from dlt.destinations.sql_client import SqlClientBase
from google.api_core.exceptions import NotFound
from google.cloud.bigquery import CreateDisposition, LoadJobConfig, SourceFormat, WriteDisposition

from cogny_source.destinations.bigquery import DLT_TYPE
from cogny_source.destinations.load_ids import rise_above_state
from cogny_source.schema import LOAD_ID


class MergeJob(BigQueryMergeJob):
    """A merge as one script with one transaction: readers, and the run after a kill, see all of it or nothing."""

    @classmethod
    def get_merge_conditions(
        cls,
        root_table: PreparedTableSchema,
        sql_client: SqlClientBase[Any],
    ) -> tuple[str | None, str | None]:
        """Merge only the rows of this package: the load job of a killed run may add its rows during the next run."""
        return f"{LOAD_ID.name} = this_load", None

    @classmethod
    def generate_sql(
        cls, table_chain: Sequence[PreparedTableSchema], sql_client: SqlClientBase[Any], **settings: Any
    ) -> list[str]:
        """The statements of the script, without the declaration of the load id."""
        statements = [
            statement.rstrip().removesuffix(";") + ";"
            for statement in super().generate_sql(table_chain, sql_client, **settings)
        ]
        return ["BEGIN TRANSACTION;", *statements, "COMMIT TRANSACTION;"]


class ScriptJob(SqlLoadJob):
    """Runs a whole script as one job.

    dlt would open a session for the transaction. If the process is killed in it, the tables stay locked for a day.
    """

    def run(self) -> None:
        """Send the script as one job, which BigQuery completes even if this process ends before."""
        this_load = f"DECLARE this_load STRING DEFAULT '{self._load_id}';\n"
        self._job_client.sql_client.execute_sql(this_load + Path(self._file_path).read_text("utf-8"))


class ExactBigQueryClient(BigQueryClient):
    """Loads each file once, and merges in one script."""

    def _create_merge_followup_jobs(self, table_chain: Sequence[PreparedTableSchema]) -> list[FollowupJobRequest]:
        return [MergeJob.from_table_chain(table_chain, self.sql_client)]

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Create the dataset, or empty tables; dlt's own client sends one more job, which has no effect here."""
        super(BigQueryClient, self).initialize_storage(truncate_tables or [])

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        """The newest state; later load ids of this process are greater than its id."""
        return rise_above_state(super().get_stored_state(pipeline_name))

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """The job for a file of the package."""
        job = super().create_load_job(table, file_path, load_id, restore)
        return ScriptJob(file_path) if isinstance(job, SqlLoadJob) else job

    def _create_load_job(self, table: PreparedTableSchema, file_path: str) -> Any:
        """Start to load a file, or return the job of an earlier attempt whose answer was lost.

        A second job would load the rows twice. The job gets the table's columns, so that BigQuery guesses no types.
        """
        earlier = self._find_earlier_job(Path(file_path))
        if earlier is not None:
            return earlier
        staged = None
        if ReferenceFollowupJobRequest.is_reference_job(file_path):
            staged = ReferenceFollowupJobRequest.resolve_reference(file_path)
        # With a staging bucket, dlt loads its own tables from Parquet.
        is_parquet = (staged or file_path).endswith(".parquet")
        client = self.sql_client.native_connection
        name = self.sql_client.make_qualified_table_name(str(table["name"]), quote=False)
        config = LoadJobConfig(
            source_format=SourceFormat.PARQUET if is_parquet else SourceFormat.NEWLINE_DELIMITED_JSON,
            write_disposition=WriteDisposition.WRITE_APPEND,
            create_disposition=CreateDisposition.CREATE_NEVER,
        )
        if not is_parquet:
            config.schema = client.get_table(name, timeout=self.config.http_timeout).schema
        options: dict[str, Any] = {
            "job_id": BigQueryLoadJob.get_job_id_from_file_path(file_path),
            "job_config": config,
            "timeout": self.config.file_upload_timeout,
        }
        if staged is not None:
            return client.load_table_from_uri([staged], name, **options)
        with open(file_path, "rb") as file:
            return client.load_table_from_file(file, name, **options)

    def _find_earlier_job(self, path: Path) -> Any:
        parsed = ParsedLoadJobFileName.parse(path.name)
        for attempt in range(parsed.retry_count):
            earlier = parsed._replace(retry_count=attempt).file_name()
            try:
                job = self.sql_client.native_connection.get_job(BigQueryLoadJob.get_job_id_from_file_path(earlier))
            except NotFound:
                continue
            if job.error_result is None:
                return job
        return None


class ExactBigQuery(bigquery):
    """dlt's BigQuery destination with that client; settings and pipeline state are those of dlt's own destination."""

    @property
    def destination_type(self) -> str:
        """The type of dlt's own destination."""
        return DLT_TYPE

    @property
    def client_class(self) -> type[BigQueryClient]:
        """The class of the client."""
        return ExactBigQueryClient


def resolve_configuration(project: str | None, dataset: str) -> BigQueryClientConfiguration:
    """The configuration of a dataset, with credentials, as dlt resolves it.

    Raises:
        ConfigurationException: If dlt finds no credentials.
    """
    initial = BigQueryClientConfiguration()._bind_dataset_name(dataset)
    return ExactBigQuery(project_id=project).configuration(initial)
