"""The client of dlt's BigQuery destination, made exact where a job is lost on the way, or a run is killed.

It is imported only where BigQuery is used: Google's libraries take a second to load.
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
    """A merge as one script with one transaction: readers see all of it or nothing, and so does a run after a kill."""

    @classmethod
    def get_merge_conditions(
        cls,
        root_table: PreparedTableSchema,
        sql_client: SqlClientBase[Any],
    ) -> tuple[str | None, str | None]:
        """Take this package's rows only: a killed run's load job may bring its rows when the next run is on."""
        return f"{LOAD_ID.name} = this_load", None

    @classmethod
    def generate_sql(
        cls, table_chain: Sequence[PreparedTableSchema], sql_client: SqlClientBase[Any], **settings: Any
    ) -> list[str]:
        """The script's statements, but for what names the package."""
        statements = [
            statement.rstrip().removesuffix(";") + ";"
            for statement in super().generate_sql(table_chain, sql_client, **settings)
        ]
        return ["BEGIN TRANSACTION;", *statements, "COMMIT TRANSACTION;"]


class ScriptJob(SqlLoadJob):
    """Runs a script whole.

    dlt would open a session for the transaction; killed in it, it would leave the tables locked for a day.
    """

    def run(self) -> None:
        """Send the script as one job, which BigQuery ends even if this process does not live to see it."""
        this_load = f"DECLARE this_load STRING DEFAULT '{self._load_id}';\n"
        self._job_client.sql_client.execute_sql(this_load + Path(self._file_path).read_text("utf-8"))


class ExactBigQueryClient(BigQueryClient):
    """Loads each file once, and merges at once."""

    def _create_merge_followup_jobs(self, table_chain: Sequence[PreparedTableSchema]) -> list[FollowupJobRequest]:
        return [MergeJob.from_table_chain(table_chain, self.sql_client)]

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Make the dataset, or empty tables; dlt's own sends a job more, which does nothing to these."""
        super(BigQueryClient, self).initialize_storage(truncate_tables or [])

    def get_stored_state(self, pipeline_name: str) -> StateInfo:
        """The newest state; the ids of this process rise above its own."""
        return rise_above_state(super().get_stored_state(pipeline_name))

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """A job for a file of the package."""
        job = super().create_load_job(table, file_path, load_id, restore)
        return ScriptJob(file_path) if isinstance(job, SqlLoadJob) else job

    def _create_load_job(self, table: PreparedTableSchema, file_path: str) -> Any:
        """Start to load a file, or take up the job of an earlier attempt whose answer was lost.

        To load it again would bring its rows twice. The table's own columns are told, so that nothing is guessed.
        """
        earlier = self._find_earlier_job(Path(file_path))
        if earlier is not None:
            return earlier
        staged = None
        if ReferenceFollowupJobRequest.is_reference_job(file_path):
            staged = ReferenceFollowupJobRequest.resolve_reference(file_path)
        # Through a bucket, dlt sends its own tables as Parquet.
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
    """dlt's BigQuery destination with that client; by its settings and in a pipeline's state it is dlt's own."""

    @property
    def destination_type(self) -> str:
        """The type of dlt's own."""
        return DLT_TYPE

    @property
    def client_class(self) -> type[BigQueryClient]:
        """The client."""
        return ExactBigQueryClient


def resolve_configuration(project: str | None, dataset: str) -> BigQueryClientConfiguration:
    """What dlt finds of a dataset's configuration, with the credentials.

    Raises:
        ConfigurationException: If it finds none.
    """
    initial = BigQueryClientConfiguration()._bind_dataset_name(dataset)
    return ExactBigQuery(project_id=project).configuration(initial)
