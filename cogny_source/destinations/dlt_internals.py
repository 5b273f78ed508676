"""Where the connector leans on dlt below its public surface, for all destinations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.metrics import DataWriterMetrics
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.normalizers.utils import generate_dlt_id
from dlt.common.pipeline import PipelineContext
from dlt.common.storages.load_package import LoadPackageStateInjectableContext, create_load_id
from dlt.common.time import increasing_precise_time
from dlt.common.versioned_state import decompress_state
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.hints import HintsMeta
from dlt.extract.items import DataItemWithMeta
from dlt.pipeline.state_sync import bump_pipeline_state_version_if_modified, mark_state_extracted, state_doc

from cogny_source.destinations.duckdb_engine import MAJOR, RELATIONS_STREAM_FROM, open_arrow

__all__ = [
    "DuckDbSqlClient",
    "create_load_id",
    "current_load_id",
    "current_pipeline",
    "declare_table",
    "decompress_state",
    "find_capabilities_once",
    "import_file",
    "make_state_row",
    "mark_state_extracted",
    "name_table_by_item",
    "note_restored_state",
    "query_arrow",
    "raise_next_load_id",
]


@contextmanager
def find_capabilities_once(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Let the pipeline's destinations remember their capabilities until the block ends.

    dlt 1.31 asks for them some twenty times a run and looks through every configuration provider each time: a quarter
    of the time that a run without news takes.
    """
    destinations = [it for it in (pipeline.destination, pipeline.staging) if it is not None]
    for destination in destinations:
        vars(destination)["capabilities"] = _remember(destination)
    try:
        yield
    finally:
        for destination in destinations:
            vars(destination).pop("capabilities", None)


def query_arrow(
    client: SqlClientBase[Any], query: str, values: Sequence[object], batch_rows: int
) -> Iterator[pa.Table]:
    """Read what a query brings, in batches.

    dlt 1.31 reads Arrow from a cursor, which DuckDB 2 warns of: it copies all rows first.

    Args:
        client: An open connection; it may run no other query before the last batch.
        query: The query, with `%s` for its parameters.
        values: The parameters.
        batch_rows: How many rows a batch holds, about.

    Raises:
        DatabaseUndefinedRelation: If a table of the query is not there.
    """
    if isinstance(client, DuckDbSqlClient) and MAJOR >= RELATIONS_STREAM_FROM:
        # dlt makes the views of a folder's tables, and tells which table is missing.
        with client.execute_query(f"SELECT * FROM ({query}) LIMIT 0", *values):
            pass
        with open_arrow(client.native_connection, query.replace("%s", "?"), values, batch_rows=batch_rows) as reader:
            yield from (pa.Table.from_batches([batch]) for batch in reader)
        return
    with client.execute_query(query, *values) as cursor:
        for batch in cursor.iter_arrow(batch_rows):
            # BigQuery's come as batches, whatever dlt's annotations say.
            yield pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch


def current_pipeline() -> dlt.Pipeline:
    """The active pipeline; `dlt.current.pipeline()` resolves a configuration on its way, 10 ms each time."""
    return cast(dlt.Pipeline, Container()[PipelineContext].pipeline())


def current_load_id() -> str:
    """The id of the load package that is being extracted."""
    return str(Container()[LoadPackageStateInjectableContext].load_id)


def note_restored_state(pipeline: dlt.Pipeline) -> None:
    """Tell a pipeline that its state is restored; else its `run` restores it once more."""
    pipeline._state_restored = True


def raise_next_load_id(above: float) -> None:
    """Let the ids of load packages that dlt makes in this process rise above an instant, in epoch seconds."""
    with increasing_precise_time._lock:
        increasing_precise_time._last = max(increasing_precise_time._last, above)


def make_state_row(state: Any, load_id: str) -> tuple[dict[str, Any], str]:
    """The row that dlt would write of a pipeline's state, and the hash to mark it with once it is written."""
    _, digest, _ = bump_pipeline_state_version_if_modified(state)
    return {**state_doc(state, load_id), "_dlt_id": generate_dlt_id()}, digest


def declare_table(hints: Any) -> DataItemWithMeta:
    """An item that makes a table without rows."""
    return DataItemWithMeta(HintsMeta(hints, create_table_variant=True), dlt.mark.materialize_table_schema())


def name_table_by_item() -> DataItemWithMeta:
    """An item after which the resource takes the name of a table from each item."""
    return DataItemWithMeta(HintsMeta(dlt.mark.make_hints(table_name=str), create_table_variant=False), [])


def import_file(table: str, hints: Any, path: Path, rows: int) -> Iterator[DataItemWithMeta]:
    """Items that make dlt take a file of JSON lines for the rows of a table."""
    metrics = DataWriterMetrics(str(path), rows, path.stat().st_size, 0, 0)
    yield DataItemWithMeta(HintsMeta(hints, create_table_variant=True), [])
    yield DataItemWithMeta(ImportFileMeta(str(path), metrics, "jsonl"), table)


def _remember(destination: Destination[Any, Any]) -> Any:
    find = destination.capabilities
    found: dict[Any, DestinationCapabilitiesContext] = {}

    def capabilities(config: Any = None, naming: NamingConvention | None = None) -> DestinationCapabilitiesContext:
        if config is not None:
            return find(config, naming)
        key = None if naming is None else (type(naming), naming.max_length)
        if key not in found:
            found[key] = find(None, naming)
        # dlt writes into what it gets.
        return deepcopy(found[key])

    return capabilities
