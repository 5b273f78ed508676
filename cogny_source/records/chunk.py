"""Chunks: rows that are loaded together, and the resource's state after the load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.records.columns import Row, arrow_schema
from cogny_source.records.convert import Converted, convert_rows
from cogny_source.schema import TableSpec
from cogny_source.windows import BEGINNING, UPDATED

# Rows are Python objects up to this many rows or characters, then Arrow, which takes a fraction of their memory.
BATCH_ROWS = 500
BATCH_CHARACTERS = 4 * 2**20
# More than 10,000 tickets take. Rows with long texts fill a chunk earlier, which bounds its memory.
CHUNK_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Chunk:
    """Rows to load together.

    Attributes:
        tables: Table name to Arrow table, one row per key; empty if there is nothing to load, or once dlt has
            extracted the tables.
        rows: Rows of the parent table.
        undeclared: Dotted name of each field kept in `extra`, to the number of rows that have it.
        state: The resource's state once the chunk is loaded; None if it does not change.
        last: Whether it is the resource's last chunk.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    rows: int = 0
    undeclared: Counter[str] = field(default_factory=Counter)
    state: dict[str, Any] | None = None
    last: bool = False


class ChunkBuilder:
    """Collects rows, converts them to Arrow, and keeps the newest version of each key.

    Args:
        spec: The table of the rows.
        history: Whether each version read also goes into the history table.
    """

    def __init__(self, spec: TableSpec, *, history: bool = False) -> None:
        self._spec = spec
        self._versions = spec.versions if history else None
        self._reset()

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows in the order they were read.

        Raises:
            ContractError: If a row has no key.
        """
        least: int | None = None
        for row in rows:
            # The size of nested values is estimated from the first row of a page: counting takes 4 µs a row.
            least = count_characters(row) if least is None else least
            texts = sum([len(value) for value in row.values() if isinstance(value, str)])
            self._pending.append(row)
            self._pending_characters += max(least, texts)
            if len(self._pending) >= BATCH_ROWS or self._pending_characters >= BATCH_CHARACTERS:
                self._convert_pending()

    @property
    def rows(self) -> int:
        """Rows collected, repeated ones included."""
        return self._converted_rows + len(self._pending)

    def is_full(self, chunk_rows: int) -> bool:
        """Whether the collected rows should be loaded: `chunk_rows` rows, or `CHUNK_BYTES`."""
        return self.rows >= chunk_rows or self._bytes + self._pending_characters >= CHUNK_BYTES

    def build(self, state: dict[str, Any] | None, *, last: bool = False) -> Chunk:
        """Make a chunk of the collected rows, and start an empty one."""
        self._convert_pending()
        tables = self._concat() if self._batches else {}
        undeclared: Counter[str] = Counter()
        for batch in self._batches:
            undeclared.update(batch.undeclared)
        rows = tables[self._spec.name].num_rows if tables else 0
        self._reset()
        return Chunk(tables, rows, undeclared, state, last)

    def _reset(self) -> None:
        self._pending: list[Row] = []
        self._pending_characters = 0
        self._batches: list[Converted] = []
        self._converted_rows = 0
        self._bytes = 0

    def _convert_pending(self) -> None:
        if not self._pending:
            return
        batch = convert_rows(self._spec, self._pending)
        self._batches.append(batch)
        self._bytes += sum(table.nbytes for table in batch.tables.values())
        self._converted_rows += len(self._pending)
        self._pending, self._pending_characters = [], 0

    def _concat(self) -> dict[str, pa.Table]:
        tables = {
            name: pa.concat_tables([batch.tables[name] for batch in self._batches]) for name in self._batches[0].tables
        }
        rows = tables[self._spec.name]
        versions = _select_versions(self._versions, rows)
        keys = rows[self._spec.key]
        if _are_distinct(keys):
            return tables | versions
        newest: dict[str, tuple[datetime, int]] = {}
        for position, (key, updated_at) in enumerate(zip(keys.to_pylist(), rows[UPDATED].to_pylist(), strict=True)):
            version = (updated_at or BEGINNING, position)
            if key not in newest or version >= newest[key]:
                newest[key] = version
        kept = pa.array(sorted(position for _, position in newest.values()), pa.int64())
        for name, table in tables.items():
            if name == self._spec.name:
                tables[name] = table.take(kept)
            else:
                tables[name] = table.filter(pc.is_in(self._root_positions(name), value_set=kept))
        return tables | versions

    def _root_positions(self, name: str) -> pa.ChunkedArray:
        positions: list[pa.Array] = []
        offset = 0
        for batch in self._batches:
            positions.append(pc.add(batch.roots[name], pa.scalar(offset, pa.int64())))
            offset += batch.tables[self._spec.name].num_rows
        return pa.chunked_array(positions, pa.int64())


def count_characters(value: Any) -> int:
    """The approximate size of a JSON value: the characters of all texts in it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(count_characters, value.values()))
    return sum(map(count_characters, value)) if isinstance(value, list) else 0


def _are_distinct(keys: pa.ChunkedArray) -> bool:
    distinct: int = pc.count_distinct(keys).as_py()
    return distinct == len(keys)


def _select_versions(versions: TableSpec | None, table: pa.Table) -> dict[str, pa.Table]:
    """The rows of the history table: for each key and `updated_at`, the row read last."""
    if versions is None:
        return {}
    dated = table.select([c.name for c in versions.columns if c.name in table.column_names])
    dated = dated.filter(dated[UPDATED].is_valid()).cast(arrow_schema(versions.columns))
    key, *_ = versions.primary_key
    if _are_distinct(dated[key]):
        return {versions.name: dated}
    named = zip(*(dated[name].to_pylist() for name in versions.primary_key), strict=True)
    last = {version: place for place, version in enumerate(named)}
    if len(last) < len(dated):
        dated = dated.take(pa.array(last.values(), pa.int64()))
    return {versions.name: dated}


def merge_chunks(spec: TableSpec, chunks: Iterable[Chunk]) -> Chunk:
    """Make one chunk of several, with one row per key: the newest version, and the last one read of equal versions.

    Args:
        spec: The table of the rows.
        chunks: The chunks in the order they were read.
    """
    merged = list(chunks)
    states = [chunk.state for chunk in merged if chunk.state is not None]
    state = states[-1] if states else None
    filled = [chunk for chunk in merged if chunk.tables]
    if len(filled) < 2:
        return replace(filled[0] if filled else Chunk(), state=state, last=True)
    newest: dict[str, tuple[datetime, int]] = {}
    for position, chunk in enumerate(filled):
        table = chunk.tables[spec.name]
        for key, updated_at in zip(table[spec.key].to_pylist(), table[UPDATED].to_pylist(), strict=True):
            version = (updated_at or BEGINNING, position)
            if key not in newest or version >= newest[key]:
                newest[key] = version
    parts: dict[str, list[pa.Table]] = {}
    undeclared: Counter[str] = Counter()
    versions = spec.versions
    for position, chunk in enumerate(filled):
        kept = pa.array([key for key, (_, winner) in newest.items() if winner == position], pa.string())
        for name, table in chunk.tables.items():
            if versions is None or name != versions.name:
                table = table.filter(pc.is_in(table[spec.row_keys[name]], value_set=kept))
            parts.setdefault(name, []).append(table)
        undeclared.update(chunk.undeclared)
    tables = {name: pa.concat_tables(tables) for name, tables in parts.items()}
    if versions is not None and versions.name in tables:
        tables |= _select_versions(versions, tables[versions.name])
    return Chunk(tables, len(newest), undeclared, state, last=True)


def select_rows(chunk: Chunk, spec: TableSpec, keys: Sequence[str]) -> Chunk:
    """The rows of a chunk that have one of some keys, with what belongs to them.

    Args:
        chunk: The chunk.
        spec: The table of its rows.
        keys: The keys.
    """
    if not keys:
        return Chunk()
    wanted = pa.array(keys, pa.string())
    tables = {
        name: table.filter(pc.is_in(table[spec.row_keys[name]], value_set=wanted))
        for name, table in chunk.tables.items()
    }
    return Chunk(tables, len(keys), chunk.undeclared)
