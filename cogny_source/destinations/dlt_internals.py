"""Where the connector leans on dlt below its public surface, for all destinations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.normalizers.naming import NamingConvention
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.duckdb_engine import MAJOR, RELATIONS_STREAM_FROM, open_arrow


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
