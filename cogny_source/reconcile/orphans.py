"""Child rows without a parent, and duplicate rows, that a merge by key does not remove."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pyarrow as pa

from cogny_source.destinations.reader import DestinationReader
from cogny_source.reconcile.comparison import Comparison
from cogny_source.records.chunk import Chunk
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import LOAD_ID, TOMBSTONE, ChildSpec, TableSpec

logger = logging.getLogger(__name__)


def clear_orphans(comparison: Comparison, spec: TableSpec, destination: DestinationReader) -> Iterator[Chunk]:
    """Remove child rows without a parent, and all but one of duplicate rows.

    Rows that the API lists are loaded anyway and replace all rows with their key.

    Args:
        comparison: Both sides, with the API's complete list.
        spec: The resource's table.
        destination: The destination.

    Yields:
        A chunk, if there is something to do.
    """
    doubled = comparison.doubled()
    if doubled:
        rows = pa.concat_tables(destination.read_keys(spec, doubled))
        logger.warning("%s: %d keys occurred more than once; one row of each is left", spec.name, len(doubled))
        yield Chunk({spec.name: keep_newest(rows, spec)}, rows=len(doubled))
    tables = {child.name: bury(child, keys) for child in spec.child_tables if (keys := comparison.orphans(child.name))}
    if tables:
        told = ", ".join(f"{len(table)} of {name}" for name, table in tables.items())
        logger.warning("%s: removing child rows without a parent: %s", spec.name, told)
        yield Chunk(tables)


def keep_newest(rows: pa.Table, spec: TableSpec) -> pa.Table:
    """The row of the newest load for each key."""
    ordered = rows.sort_by([(LOAD_ID.name, "descending")])
    first: dict[str, int] = {}
    for place, key in enumerate(ordered[spec.key].to_pylist()):
        first.setdefault(key, place)
    schema = arrow_schema(spec.columns)
    return ordered.take(pa.array(first.values(), pa.int64())).select(schema.names).cast(schema)


def bury(child: ChildSpec, keys: list[str]) -> pa.Table:
    """A tombstone for each list."""
    schema = arrow_schema(child.columns)
    nothing = {name: pa.nulls(len(keys), schema.field(name).type) for name in schema.names}
    stones = {child.root_key: pa.array(keys, pa.string()), TOMBSTONE: pa.repeat(True, len(keys))}
    return pa.table({**nothing, **stones}, schema=schema)
