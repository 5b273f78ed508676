"""The connector's uses of dlt's private names, for all destinations."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common import validation
from dlt.common.configuration.container import Container
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.metrics import DataWriterMetrics
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.normalizers.utils import generate_dlt_id
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TSchemaTables
from dlt.common.storages.load_package import LoadPackageStateInjectableContext, create_load_id
from dlt.common.time import increasing_precise_time
from dlt.common.versioned_state import decompress_state
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase
from dlt.extract.exceptions import CurrentSourceSchemaNotAvailable
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.hints import HintsMeta
from dlt.extract.items import DataItemWithMeta
from dlt.pipeline.state_sync import bump_pipeline_state_version_if_modified, mark_state_extracted, state_doc

from cogny_source.destinations.duckdb_engine import MAJOR, RELATIONS_STREAM_FROM, open_arrow

__all__ = [
    "DuckDbSqlClient",
    "cache_capabilities",
    "cache_type_hints",
    "create_load_id",
    "current_load_id",
    "current_pipeline",
    "declare_table",
    "decompress_state",
    "has_row_ids",
    "import_file",
    "make_state_row",
    "mark_state_extracted",
    "mark_state_restored",
    "name_table_by_item",
    "query_arrow",
    "raise_next_load_id",
    "silence_column_hints",
]
COLUMN_HINTS = "when merging arrow schema with dlt schema"


@contextmanager
def cache_capabilities(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Cache the capabilities of the pipeline's destinations until the block ends.

    dlt 1.31 requests them about twenty times a run and searches every configuration provider each time: a quarter of
    the time of a run without new rows.
    """
    destinations = [one for one in (pipeline.destination, pipeline.staging) if one is not None]
    for destination in destinations:
        vars(destination)["capabilities"] = _cache(destination)
    try:
        yield
    finally:
        for destination in destinations:
            vars(destination).pop("capabilities", None)


@contextmanager
def cache_type_hints() -> Iterator[None]:
    """Cache the types by which dlt validates a schema until the block ends.

    dlt 1.31 works them out anew for each column with hints and each table, in a fifth of the time of a run without new
    rows; a comment of its own says so.
    """
    names, known = vars(validation), dict[Any, dict[str, Any]]()
    work_out = names["get_type_hints"]

    def look_up(spec: Any, globalns: dict[str, Any] | None = None) -> dict[str, Any]:
        if spec not in known:
            known[spec] = work_out(spec, globalns=globalns)
        return known[spec]

    names["get_type_hints"] = look_up
    try:
        yield
    finally:
        names["get_type_hints"] = work_out


def query_arrow(
    client: SqlClientBase[Any], query: str, values: Sequence[object], batch_rows: int
) -> Iterator[pa.Table]:
    """Read the rows of a query in batches.

    dlt 1.31 reads Arrow from a cursor. DuckDB 2 warns of that, because it copies all rows first.

    Args:
        client: An open connection; it must run no other query before the last batch.
        query: The query, with `%s` for its parameters.
        values: The parameters.
        batch_rows: The approximate number of rows in a batch.

    Raises:
        DatabaseUndefinedRelation: If a table of the query does not exist.
    """
    if isinstance(client, DuckDbSqlClient) and MAJOR >= RELATIONS_STREAM_FROM:
        # This query goes through dlt, which creates the views of a folder's tables and raises for a missing table.
        with client.execute_query(f"SELECT * FROM ({query}) LIMIT 0", *values):
            pass
        with open_arrow(client.native_connection, query.replace("%s", "?"), values, batch_rows=batch_rows) as reader:
            yield from (pa.Table.from_batches([batch]) for batch in reader)
        return
    with client.execute_query(query, *values) as cursor:
        for batch in cursor.iter_arrow(batch_rows):
            # dlt annotates tables, but BigQuery's client returns record batches.
            yield pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch


def current_pipeline() -> dlt.Pipeline:
    """The active pipeline; `dlt.current.pipeline()` also resolves a configuration, 10 ms each time."""
    return cast(dlt.Pipeline, Container()[PipelineContext].pipeline())


def current_load_id() -> str:
    """The id of the load package that is being extracted."""
    return str(Container()[LoadPackageStateInjectableContext].load_id)


def mark_state_restored(pipeline: dlt.Pipeline) -> None:
    """Mark a pipeline's state as restored, so that its `run` does not restore it again."""
    pipeline._state_restored = True


def raise_next_load_id(above: float) -> None:
    """Make dlt's next load ids in this process greater than `above`, in epoch seconds."""
    with increasing_precise_time._lock:
        increasing_precise_time._last = max(increasing_precise_time._last, above)


def make_state_row(state: Any, load_id: str) -> tuple[dict[str, Any], str]:
    """The row that dlt would write for a pipeline's state, and the hash for `mark_state_extracted` after the write."""
    _, digest, _ = bump_pipeline_state_version_if_modified(state)
    return {**state_doc(state, load_id), "_dlt_id": generate_dlt_id()}, digest


def declare_table(table: str, hints: Any) -> Iterator[DataItemWithMeta]:
    """Items that create a table without rows.

    dlt adds a column `_dlt_id` that must not be null to a table without rows, unless it knows rows of the table;
    imported files have no such column. To be called while a resource is extracted.
    """
    yield DataItemWithMeta(HintsMeta(hints, create_table_variant=True), dlt.mark.materialize_table_schema())
    known: Any = _list_current_tables().get(table)
    if known is not None:
        known.setdefault("x-normalizer", {})["seen-data"] = True


def has_row_ids(table: str) -> bool:
    """Whether a table has dlt's column `_dlt_id`, which must not be null: tables that earlier versions created empty.

    To be called while a resource is extracted.
    """
    known = _list_current_tables().get(table)
    return known is not None and "_dlt_id" in known["columns"]


def _list_current_tables() -> TSchemaTables:
    """The tables of the source that is extracted; none outside of one."""
    try:
        return dlt.current.source_schema().tables
    except CurrentSourceSchemaNotAvailable:
        return {}


def name_table_by_item() -> DataItemWithMeta:
    """An item after which dlt takes the table's name from each item of the resource."""
    return DataItemWithMeta(HintsMeta(dlt.mark.make_hints(table_name=str), create_table_variant=False), [])


def import_file(table: str, hints: Any, path: Path, rows: int) -> Iterator[DataItemWithMeta]:
    """Items that make dlt import a file of JSON lines as the rows of a table."""
    metrics = DataWriterMetrics(str(path), rows, path.stat().st_size, 0, 0)
    yield DataItemWithMeta(HintsMeta(hints, create_table_variant=True), [])
    yield DataItemWithMeta(ImportFileMeta(str(path), metrics, "jsonl"), table)


def _cache(destination: Destination[Any, Any]) -> Any:
    resolve = destination.capabilities
    known: dict[Any, DestinationCapabilitiesContext] = {}

    def capabilities(config: Any = None, naming: NamingConvention | None = None) -> DestinationCapabilitiesContext:
        if config is not None:
            return resolve(config, naming)
        key = None if naming is None else (type(naming), naming.max_length)
        if key not in known:
            known[key] = resolve(None, naming)
        # dlt modifies the object that it gets.
        return deepcopy(known[key])

    return capabilities


def silence_column_hints() -> None:
    """Keep dlt from a warning for each table: columns of JSON are texts in Arrow, as its own loader needs."""
    logging.getLogger("dlt").addFilter(_is_no_column_hint)


def _is_no_column_hint(record: logging.LogRecord) -> bool:
    return COLUMN_HINTS not in record.getMessage()
