"""Each destination as the tests see it: a pipeline into it, and how a plain reader asks it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import dlt
import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow.parquet import read_schema, read_table
from s3fs import S3FileSystem

from cogny_source.destinations.filesystem.dlt_client import TableFormat, open_folder
from cogny_source.destinations.filesystem.table_layout import list_layouts
from tests.support.emulator import Dataset
from tests.support.syncs import NAME, make_pipeline

TABLES = list(list_layouts())
BUCKET = "growth"
KEY_ID, SECRET = "AKIAEXAMPLE", "not-a-secret"


class Place(ABC):
    """A destination with a name of its own, and nothing in it.

    Attributes:
        script: The script that syncs into it.
        kind: What `docs/tables.md` calls it.
    """

    script: ClassVar[str]
    kind: str

    @abstractmethod
    def pipeline(self, machine: str = "pipelines") -> dlt.Pipeline:
        """The pipeline as a machine with that working folder makes it."""

    @abstractmethod
    def types(self, table: str) -> dict[str, str]:
        """A table's columns with the types that a reader finds."""

    @abstractmethod
    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What a reader without dlt finds; tables go by their bare names."""

    @property
    @abstractmethod
    def arguments(self) -> list[str]:
        """The script's options that name it."""

    @property
    def environment(self) -> dict[str, str]:
        """What the script needs to reach it."""
        return {}


class DuckDBPlace(Place):
    """A DuckDB file in a folder."""

    script = "cogny_to_duckdb.py"
    kind = "DuckDB"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def types(self, table: str) -> dict[str, str]:
        """The types that DuckDB tells."""
        rows = self.ask(f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'")
        return dict(rows)

    def pipeline(self, machine: str = "pipelines") -> dlt.Pipeline:
        """A pipeline into the file."""
        return make_pipeline(self._folder, machine)

    @property
    def arguments(self) -> list[str]:
        """The file."""
        return ["--database", str(self._folder / "cogny.duckdb")]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask DuckDB."""
        with duckdb.connect(str(self._folder / "cogny.duckdb")) as db:
            db.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return db.execute(query).fetchall()


class FolderPlace(Place):
    """A folder, or a prefix in a bucket, of Parquet files or Delta tables."""

    script = "cogny_to_parquet.py"

    def __init__(self, folder: Path, table_format: TableFormat, endpoint: str | None = None) -> None:
        self._folder = folder
        self._format = table_format
        self.kind = table_format.capitalize()
        self._endpoint = endpoint
        self._bucket: S3FileSystem | None = None
        self._seen: dict[str, str] = {}
        self._copy = duckdb.connect()
        self.url = str(folder / "tables") if endpoint is None else f"s3://{BUCKET}/{folder.name}"

    def pipeline(self, machine: str = "pipelines") -> dlt.Pipeline:
        """A pipeline into the folder."""
        destination = open_folder(self.url, self._format)
        folder = str(self._folder / machine)
        return dlt.pipeline(NAME, pipelines_dir=folder, destination=destination, dataset_name="cogny_data")

    @property
    def arguments(self) -> list[str]:
        """The URL and the format."""
        return ["--bucket-url", self.url, "--table-format", self._format]

    @property
    def environment(self) -> dict[str, str]:
        """Dlt's credentials of the bucket."""
        if self._endpoint is None:
            return {}
        names = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "ENDPOINT_URL": self._endpoint}
        credentials = {f"DESTINATION__FILESYSTEM__CREDENTIALS__{name}": value for name, value in names.items()}
        return {**credentials, "DESTINATION__FILESYSTEM__CREDENTIALS__REGION_NAME": "us-east-1"}

    def open_bucket(self) -> S3FileSystem:
        """The bucket as a reader opens it."""
        options = {"key": KEY_ID, "secret": SECRET, "endpoint_url": self._endpoint}
        return S3FileSystem(**options, use_listings_cache=False, skip_instance_cache=True)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask DuckDB, which reads what is in the folder; a bucket's tables are read again once an object changed."""
        if self._endpoint is None:
            with duckdb.connect() as db:
                self._define_tables(db)
                return db.execute(query).fetchall()
        bucket = self._bucket = self._bucket or self.open_bucket()
        bucket.invalidate_cache()
        objects = {path: item["ETag"] for path, item in bucket.find(self.url, detail=True).items()}
        if objects != self._seen:
            self._seen, self._copy = objects, duckdb.connect()
            self._define_tables(self._copy)
        return self._copy.execute(query).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """The types of the files, or of the Delta table."""
        if self._format == "delta":
            fields = json.loads(self.open_delta(table).schema().to_json())["fields"]
            return {field["name"]: field["type"] for field in fields}
        bucket = self.open_bucket() if self._endpoint else None
        schema = read_schema(f"{self.url.removeprefix('s3://')}/{table}/{table}.parquet", filesystem=bucket)
        return {field.name: str(field.type) for field in schema}

    def _define_tables(self, db: duckdb.DuckDBPyConnection) -> None:
        db.execute("SET TimeZone = 'UTC'")
        for table in TABLES:
            path = f"{self.url}/{table}"
            if self._format == "delta":
                with suppress(TableNotFoundError):  # those of the contents of reports, where none are fetched
                    db.register(table, self.open_delta(table).to_pyarrow_table())
            elif self._endpoint is not None and self._bucket is not None and self._bucket.exists(path):
                db.register(table, read_table(path.removeprefix("s3://"), filesystem=self._bucket))
            elif self._endpoint is None and Path(path).exists():
                db.execute(f"CREATE VIEW {table} AS FROM '{path}/*.parquet'")

    def open_delta(self, table: str) -> DeltaTable:
        """A Delta table as a reader opens it."""
        options = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self._endpoint or "",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        return DeltaTable(f"{self.url}/{table}", storage_options=options if self._endpoint else None)


class BigQueryPlace(Place):
    """A dataset of the emulator."""

    script = "cogny_to_bigquery.py"
    kind = "BigQuery"

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self._dataset = dataset
        self._folder = folder

    def pipeline(self, machine: str = "pipelines") -> dlt.Pipeline:
        """A pipeline into the dataset."""
        return self._dataset.make_pipeline(self._folder, machine)

    @property
    def arguments(self) -> list[str]:
        """The dataset."""
        return ["--dataset", self._dataset.name]

    @property
    def environment(self) -> dict[str, str]:
        """Where the emulator is."""
        return self._dataset.emulator.variables

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask Google's client."""
        return self._dataset.ask(query)

    def types(self, table: str) -> dict[str, str]:
        """The types that Google's client tells, by their names in SQL."""
        names = {"FLOAT": "FLOAT64", "INTEGER": "INT64", "BOOLEAN": "BOOL"}
        with self._dataset.emulator.client(self._dataset.name) as client:
            fields = client.get_table(f"{client.project}.{self._dataset.name}.{table}").schema
        return {field.name: names.get(field.field_type, field.field_type) for field in fields}
