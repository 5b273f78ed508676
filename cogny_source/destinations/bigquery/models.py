"""Models in a dataset of BigQuery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import Client, Dataset, DatasetReference, SchemaField

from cogny_source.destinations.model_store import Dialect, ModelStore, ModelText, Relation
from cogny_source.errors import LoadFailed


class BigQueryModelStore(ModelStore):
    """Builds model by model: BigQuery has no transaction over tables that are made in it.

    Args:
        client: Google's client.
        dataset: The dataset of the loaded tables.
        models: The dataset of the models; it is made where there is none, in the location of the loaded tables.
    """

    dialect: ClassVar[Dialect] = "bigquery"

    def __init__(self, client: Client, dataset: str, models: str) -> None:
        self._client = client
        self._dataset = dataset
        self._models = models
        self._kinds: dict[str, str] = {}
        self.bytes_read: int = 0

    def list_loaded(self, tables: Iterable[str]) -> frozenset[str]:
        """Those of some tables that the destination holds."""
        with _translating_errors():
            return frozenset(self._list_kinds(self._dataset).keys() & set(tables))

    def loaded(self, table: str) -> Relation:
        """A loaded table."""
        return Relation(self._client.project, self._dataset, table, "`")

    def model(self, name: str) -> Relation:
        """A model, which may not be built yet."""
        return Relation(self._client.project, self._models, name, "`")

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build in the block; each model is seen as soon as it is built."""
        with _translating_errors():
            dataset = Dataset(DatasetReference(self._client.project, self._models))
            dataset.location = self._client.get_dataset(self._dataset).location
            self._client.create_dataset(dataset, exists_ok=True)
            self._kinds = self._list_kinds(self._models)
            yield

    def create(self, model: ModelText) -> None:
        """Create a table or a view, or replace the one with its name."""
        relation, kind = self.model(model.name), model.kind.upper()
        present = self._kinds.get(model.name, kind)
        if present != kind:
            self._client.query(f"DROP {present} {relation}").result()
        job = self._client.query(f"CREATE OR REPLACE {kind} {relation} AS\n{model.sql}")
        job.result()
        self.bytes_read += job.total_bytes_processed or 0
        self._describe(model)

    def has(self, model: str) -> bool:
        """Whether a model is built."""
        with _translating_errors():
            return model in self._list_kinds(self._models)

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns' names and the rows of a query."""
        with _translating_errors():
            found = self._client.query_and_wait(sql)
            return [field.name for field in found.schema], [row.values() for row in found]

    def _list_kinds(self, dataset: str) -> dict[str, str]:
        """Each table and view of a dataset with its type; none without the dataset."""
        try:
            return {table.table_id: table.table_type for table in self._client.list_tables(dataset)}
        except NotFound:
            return {}

    def _describe(self, model: ModelText) -> None:
        """Write the descriptions of the table and its columns; it costs a request and reads no bytes."""
        table = self._client.get_table(f"{self._client.project}.{self._models}.{model.name}")
        table.description = model.description
        table.schema = [_describe_field(field, model.columns.get(field.name)) for field in table.schema]
        self._client.update_table(table, ["description", "schema"])


def _describe_field(field: SchemaField, description: str | None) -> SchemaField:
    return SchemaField.from_api_repr({**field.to_api_repr(), "description": description})


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, OSError) as error:  # the errors of requests are OSErrors
        message = getattr(error, "message", None) or str(error)
        raise LoadFailed(f"BigQuery refuses the models: {message.splitlines()[0]}") from error
