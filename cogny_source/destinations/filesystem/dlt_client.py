"""A dlt destination: a folder of Parquet files or Delta tables with the newest version of each row.

dlt's own `filesystem` destination appends to plain Parquet instead of merging, and leaves old elements of shortened
lists in Delta tables. This one shares everything else with it: configuration, credentials, file systems, and the places
of state and schema, `_dlt_pipeline_state`, `_dlt_version` and `_dlt_loads`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol

import dlt
from dlt.common import json
from dlt.common.configuration import configspec, resolve_type
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import CredentialsConfiguration
from dlt.common.destination import DestinationCapabilitiesContext, PreparedTableSchema
from dlt.common.destination.client import LoadJob, RunnableLoadJob, StateInfo
from dlt.common.schema import Schema
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration
from dlt.destinations.impl.filesystem.filesystem import CURRENT_VERSION, FilesystemClient
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.sql_client import SqlClientBase
from filelock import FileLock

from cogny_source.destinations.filesystem.errors import check_delta_path, raising_os_errors
from cogny_source.destinations.filesystem.file_store import (
    LOCK,
    ObjectStore,
    Store,
    check_places,
    find_local_folder,
    make_lock,
    open_local_store,
)
from cogny_source.destinations.filesystem.parquet import ParquetTables
from cogny_source.destinations.filesystem.scan import Scanner
from cogny_source.destinations.filesystem.table_layout import TableLayout, list_layouts
from cogny_source.destinations.load_ids import rise_above_state
from cogny_source.destinations.local_files import is_read_only
from cogny_source.errors import ConfigError

TableFormat = Literal["parquet", "delta"]

SQL_TYPES = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}


class Tables(Protocol):
    """The tables of a folder, in one format."""

    def files(self, table: str) -> list[str]:
        """The paths of a table's Parquet files."""

    def find_loss(self, table: str, columns: Collection[str]) -> str | None:
        """A sentence about a lost table, or its lost columns; None if nothing is lost."""

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge the rows of a load: table name to the local Parquet files with them."""

    def record_versions(self, names: Collection[str]) -> None:
        """Store the versions of tables after a load; of all tables if `names` is empty."""


@configspec
class LakeConfiguration(FilesystemDestinationClientConfiguration):
    """The configuration that dlt resolves under `destination.filesystem`, with the format of the tables."""

    destination_type: Final[str] = dataclasses.field(default="lake", init=False, repr=False, compare=False)  # type: ignore[misc]
    table_format: str = "parquet"

    @resolve_type("credentials")
    def resolve_credentials_type(self) -> type[CredentialsConfiguration]:
        """The type of credentials for the URL's scheme; dlt finds this method only in the class itself."""
        return super().resolve_credentials_type()


class LakeClient(FilesystemClient):
    """Loads into a folder. It merges the rows of a load when all files are complete, and then stores the state."""

    config: LakeConfiguration

    @property
    def dataset_path(self) -> str:
        """The folder itself: it is the dataset."""
        return str(self.pathlib.join(self.bucket_path, ""))

    @property
    def sql_client_class(self) -> type[SqlClientBase[Any]]:
        """The class of the client that reads the tables."""
        return LakeSqlClient

    @property
    def sql_client(self) -> SqlClientBase[Any]:
        """The client that reads the tables with DuckDB."""
        if not self._sql_client:
            self._sql_client = LakeSqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: SqlClientBase[Any]) -> None:
        self._sql_client = client

    @property
    def tables(self) -> Tables:
        """The tables in the folder's format."""
        layouts = list_layouts()
        if self.config.table_format == "delta":
            from cogny_source.destinations.filesystem.delta import DeltaTables
            from cogny_source.destinations.filesystem.delta_versions import Versions

            url = f"{'file' if self.is_local_filesystem else self.config.protocol}://{self.dataset_path}"
            versions = Versions(self.fs_client, self.dataset_path, self._write_to_json_file)
            return DeltaTables(url, layouts, self.config, versions, self.reading_filesystem)
        return ParquetTables(self._open_store(layouts), layouts, self.reading_filesystem)

    @property
    def reading_filesystem(self) -> Any:
        """The file system through which DuckDB reads; None for local files."""
        return None if self.is_local_filesystem else self.fs_client

    def _open_store(self, layouts: Mapping[str, TableLayout]) -> Store:
        if self.is_local_filesystem:
            return open_local_store(Path(self.bucket_path), list(layouts))
        return ObjectStore(self.fs_client, self.dataset_path, f"{self.config.protocol}://")

    def get_stored_state(self, pipeline_name: str) -> StateInfo | None:
        """The newest state; later load ids of this process are greater than its id.

        Raises:
            ConfigError: If `check_folder` raises it: the state says nothing about tables of the other format.
        """
        self.check_folder()
        state: StateInfo | None = super().get_stored_state(pipeline_name)
        return rise_above_state(state)

    def check_folder(self) -> None:
        """Refuse a folder that cannot take the tables.

        Raises:
            ConfigError: If it holds tables of the other format, or another file or folder has the name of a table.
        """
        if self.is_local_filesystem:
            check_places(Path(self.bucket_path), list_layouts())
        for table in list_layouts():
            folder = self.pathlib.join(self.dataset_path, table)
            if self.fs_client.isdir(folder):
                present = "delta" if self.fs_client.isdir(self.pathlib.join(folder, "_delta_log")) else "parquet"
                if present != self.config.table_format:
                    raise ConfigError(
                        f"{self.dataset_path} holds {present} tables: name another folder, or that table format"
                    )
                return

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Create the folder, and write dlt's marker file atomically."""
        if not self.fs_client.exists(self.init_file_path):
            if self.is_local_filesystem:  # in an object store it would create a bucket
                self.fs_client.makedirs(self.dataset_path, exist_ok=True)
            versions = {"initial_version": CURRENT_VERSION, "current_version": CURRENT_VERSION}
            self._write_to_json_file(self.init_file_path, versions)
        super().initialize_storage(truncate_tables or [])

    def get_table_dirs(self, table_names: Iterable[str], remote: bool = False) -> list[str]:
        """The folders that dlt creates: only those of its own tables."""
        return [self.get_table_dir(name, remote=remote) for name in table_names if self.is_dlt_table(name)]

    def list_table_files(self, table_name: str, schema_name: str | None = None) -> list[str]:
        """The paths of a table's files."""
        if self.is_dlt_table(table_name):
            return list(super().list_table_files(table_name, schema_name))
        return self.tables.files(table_name)

    def truncate_tables(self, table_names: list[str]) -> None:
        """Refuse: this destination never deletes rows.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.dataset_path} cannot be emptied table by table: delete the folder and sync again")

    def drop_tables(self, *tables: str, delete_schema: bool = True) -> None:
        """Refuse, as `truncate_tables` does."""
        self.truncate_tables(list(tables))

    def get_load_job_class(self, table: PreparedTableSchema, file_path: str) -> type[LoadJob]:
        """A job without work: no file is loaded on its own."""
        return _WaitingJob

    @staticmethod
    def get_reference_followup_job_class(table: PreparedTableSchema) -> None:
        """None: no table is loaded on its own."""
        return

    def verify_schema(self, only_tables: Any = None, new_jobs: Any = None) -> list[PreparedTableSchema]:
        """Refuse tables that are not the connector's.

        Raises:
            ConfigError: If there is such a table.
        """
        verified: list[PreparedTableSchema] = super().verify_schema(only_tables, new_jobs)
        names = [str(table["name"]) for table in verified]
        strange = [name for name in names if not (name in list_layouts() or self.is_dlt_table(name))]
        if strange:
            raise ConfigError(f"this destination takes only the tables of cogny_source, not {', '.join(strange)}")
        return verified

    def complete_load(self, load_id: str) -> None:
        """Merge the rows of a load, then store its state.

        Raises:
            Timeout: If another process writes into the folder.
        """
        with make_lock(Path(self.bucket_path)) if self.is_local_filesystem else nullcontext():
            package = self._list_package(load_id)
            if package:
                self.tables.merge(package)
            super().complete_load(load_id)
            self.tables.record_versions(package.keys())

    def _list_package(self, load_id: str) -> dict[str, list[str]]:
        """Table name to the files of a load."""
        packages = Container()[LoadPackageStateInjectableContext].storage
        files: dict[str, list[str]] = {}
        for job in packages.get_load_package_jobs(load_id)["completed_jobs"]:
            if not self.is_dlt_table(job.table_name):
                path = packages.get_job_file_path(load_id, "completed_jobs", job.file_name())
                files.setdefault(job.table_name, []).append(packages.storage.make_full_path(path))
        return files

    def _write_to_json_file(self, filepath: str, data: Any) -> None:
        """Write a JSON file of dlt atomically: a truncated state would stop every later run."""
        if not self.is_local_filesystem:
            super()._write_to_json_file(filepath, data)
            return
        draft = Path(self.bucket_path) / ".record.new"
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(filepath)


class _WaitingJob(RunnableLoadJob):
    """A job without work for a file. A job that never runs would cost time: dlt checks for its end once a second."""

    def run(self) -> None:
        """Do nothing."""


class LakeSqlClient(FilesystemSqlClient):
    """Reads the tables of a folder with DuckDB; each query sees the files that exist when it begins."""

    remote_client: LakeClient

    def open_connection(self) -> Any:
        """Open DuckDB without its metadata cache, so that it reads a replaced file again."""
        self._global_config["parquet_metadata_cache"] = False
        return super().open_connection()

    def create_secret(self, scope: str, credentials: Any, *_: Any, **__: Any) -> bool:
        """Make DuckDB read through dlt's file system: DuckDB's own extensions would have to be downloaded."""
        if self.remote_client.reading_filesystem is not None:
            # For dlt's own tables, which are JSON files.
            self._register_filesystem(self.remote_client.fs_client, self.remote_client.config.protocol)
        return True

    def find_losses(self, tables: Mapping[str, Collection[str]]) -> dict[str, str]:
        """Table name to a sentence about its loss; only tables that have lost something."""
        with raising_os_errors():
            present = self.remote_client.tables
            losses = {name: present.find_loss(name, columns) for name, columns in tables.items()}
        return {name: sentence for name, sentence in losses.items() if sentence}

    def list_states(self, pipeline_name: str) -> set[str]:
        """The load ids of a pipeline's states; dlt keeps the newest hundred.

        Raises:
            OSError: If the object store refuses.
        """
        with raising_os_errors():
            return set(self._find_states(pipeline_name))

    def read_states(self, pipeline_name: str, load_ids: set[str]) -> list[str]:
        """The states of some load packages in dlt's compressed form, the oldest first.

        Raises:
            OSError: If the object store refuses.
        """
        with raising_os_errors():
            paths = self._find_states(pipeline_name)
            texts = [self.remote_client.fs_client.read_text(paths[load_id]) for load_id in sorted(load_ids)]
        return [json.loads(text)["state"] for text in texts]

    def _find_states(self, pipeline_name: str) -> dict[str, str]:
        """Load id to the path of its state."""
        client = self.remote_client
        if not client.is_storage_initialized():
            return {}
        files = client._list_dlt_table_files(client.schema.state_table_name, pipeline_name)
        return {load_id: path for path, (_, load_id, _) in files}

    def should_replace_view(self, view_name: str, table_schema: PreparedTableSchema) -> bool:
        """Whether to list a table's files again: always."""
        return True

    def create_view_select(
        self, table_schema: PreparedTableSchema, schema: Schema | None = None
    ) -> tuple[str, str] | None:
        """The folder of a table and the query that reads it; None if it has no files."""
        name = str(table_schema["name"])
        if self.remote_client.is_dlt_table(name):
            view: tuple[str, str] | None = super().create_view_select(table_schema, schema or self.schema)
            return view
        with raising_os_errors():
            files = self.remote_client.list_table_files(name)
        if not files:
            return None
        blank = ", ".join(
            f"NULL::{SQL_TYPES[column['data_type'] or 'text']} AS {self.escape_column_name(column_name)}"
            for column_name, column in table_schema["columns"].items()
        )
        columns = ", ".join(self.escape_column_name(column_name) for column_name in table_schema["columns"])
        with raising_os_errors():
            scan = Scanner(self._conn, self.remote_client.reading_filesystem).scan(f"files_of_{name}", files)
        rows = f"SELECT {blank} WHERE false UNION ALL BY NAME FROM {scan}"
        return self.remote_client.get_table_dir(name), f"SELECT {columns} FROM ({rows})"


class lake(dlt.destinations.filesystem):
    """The dlt destination; `open_folder` creates one."""

    spec: ClassVar[Any] = LakeConfiguration

    @property
    def client_class(self) -> type[LakeClient]:
        """The class of the client that loads."""
        return LakeClient

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_loader_file_format = "parquet"
        capabilities.supported_loader_file_formats = ["parquet"]
        capabilities.supported_merge_strategies = ["delete-insert"]
        # The selectors of dlt's own destination choose other formats and strategies.
        capabilities.loader_file_format_selector = None  # type: ignore[assignment]
        capabilities.merge_strategies_selector = None  # type: ignore[assignment]
        return capabilities

    def make_lock(self) -> FileLock | None:
        """The lock for writing into a local folder; None for a bucket, or if this process may not write."""
        folder = find_local_folder(str(self.config_params["bucket_url"]))
        return None if folder is None or is_read_only(folder, LOCK) else make_lock(folder)


def open_folder(bucket_url: str, table_format: TableFormat = "parquet", **options: Any) -> lake:
    """A folder, or a prefix in an object store, that stores each row once, in its newest version.

    dlt resolves its credentials under `destination.filesystem`, as for its own destination.

    Args:
        bucket_url: A local folder, `s3://…` or `gs://…`, for these tables only.
        table_format: `parquet` or `delta`.
        **options: Options of dlt's `filesystem` destination, such as `credentials`.

    Raises:
        ConfigError: If deltalake cannot open the path.
    """
    folder = find_local_folder(bucket_url)
    bucket_url = bucket_url if folder is None else str(folder)
    if table_format == "delta":
        check_delta_path(bucket_url)
    return lake(bucket_url, table_format=table_format, **{"destination_name": "filesystem", **options})


def make_client(destination: lake) -> LakeClient:
    """The client of a folder, without a pipeline.

    Raises:
        ConfigurationException: If dlt finds no credentials.
    """
    client = destination.client(Schema("cogny"), LakeConfiguration()._bind_dataset_name("cogny_data"))
    assert isinstance(client, LakeClient)
    return client
