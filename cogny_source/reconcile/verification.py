"""Verification: compares destination and API row by row after a sync."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.destinations.reader import DestinationReader
from cogny_source.errors import NotVerifiable
from cogny_source.extract.context import Difference, ReadContext
from cogny_source.extract.full_scan import FullScan
from cogny_source.extract.state import State
from cogny_source.reconcile.comparison import Comparison
from cogny_source.reconcile.digest import comparable_values, compared_columns
from cogny_source.schema import TableSpec
from cogny_source.timestamps import parse_instant, to_micros
from cogny_source.windows import Window

# The most rows whose differing columns are named.
EXPLAINED_ROWS = 50
INCOMPLETE = (
    "the list lost rows at each of several readings, so that nothing is verified;"
    " run cogny verify again when fewer rows change"
)

Values = dict[str, tuple[Any, ...]]


def verify(context: ReadContext, state: State, destination: DestinationReader) -> tuple[Difference, ...]:
    """Read the resource again and compare key, `updated_at` and content of every row with the destination.

    Args:
        context: Client, endpoint and counters; its counts says whether the counts agreed after the sync.
        state: The resource's state after the sync.
        destination: The destination.

    Returns:
        The differences. Rows with a timestamp after the beginning of the sync are marked as fresh, and so are missing
        rows if the counts agreed after the sync or a census had just seen them.

    Raises:
        NotVerifiable: If the API's list cannot be read completely.
    """
    spec, start = context.endpoint.table, parse_instant(state.get("start_date"))
    roll = FullScan(replace(context, history=False), start)
    theirs: Values = {}
    with Comparison.with_destination(destination, spec, Window(start)) as comparison:
        for chunk in roll.chunks():
            if chunk.tables:
                keys = comparison.take_theirs(chunk.tables).keys[: EXPLAINED_ROWS - len(theirs)]
                theirs |= _read_values(spec, [chunk.tables[spec.name]], keys)
        if not roll.complete:
            raise NotVerifiable(INCOMPLETE, path=context.endpoint.path)
        differing = comparison.differing()
        gone = comparison.gone(dated_only=start is not None)
    ours = _read_values(spec, destination.read_keys(spec, list(theirs)), list(theirs))
    judge = _Judge(context, state, roll)
    found = [
        Difference(
            table, key, kind, _name_columns(spec, table, ours.get(key), theirs.get(key)), judge.is_fresh(key, stamp)
        )
        for table, key, kind, stamp in differing
    ]
    judge.take_in(found)
    return (*found, *(Difference(spec.name, key, "not listed", fresh=judge.left_since(key)) for key in gone))


class _Judge:
    """Distinguishes fresh changes from faults."""

    def __init__(self, context: ReadContext, state: State, roll: FullScan) -> None:
        self._whole = context.endpoint.whole
        # A census had just listed every live row, even if the counts changed meanwhile.
        self._counts_agreed = context.counts.unexplained_rows == 0 or context.counts.deleted_rows is not None
        self._known = context.counts.digests
        self._listed = roll.digests
        mark = parse_instant(state.get("updated_after"))
        self._mark = None if mark is None else to_micros(mark)

    def is_fresh(self, key: str, stamp: int | None) -> bool:
        """Whether a listed row changed since the sync read it."""
        if self._whole:
            return self._listed.get(key) != self._known.get(key)
        return self._mark is not None and stamp is not None and stamp >= self._mark

    def take_in(self, found: list[Difference]) -> None:
        """Record differences: a missing row and a deleted one can make the counts agree."""
        self._counts_agreed &= not any(row.kind == "missing" and not row.fresh for row in found)

    def left_since(self, key: str) -> bool:
        """Whether a row that is not listed now was still listed during the sync."""
        return key in self._known if self._whole else self._counts_agreed


def _read_values(spec: TableSpec, tables: Any, keys: list[str]) -> Values:
    """The compared values of rows, by key."""
    wanted = pa.array(keys, pa.string())
    found: Values = {}
    for table in tables:
        rows = table.filter(pc.is_in(table[spec.key], value_set=wanted))
        values = zip(rows[spec.key].to_pylist(), comparable_values(spec, rows), strict=True)
        found |= dict(islice(values, EXPLAINED_ROWS))
    return found


def _name_columns(
    spec: TableSpec, table: str, ours: tuple[Any, ...] | None, theirs: tuple[Any, ...] | None
) -> tuple[str, ...]:
    if table != spec.name or ours is None or theirs is None:
        return ()
    names = [column.name for column in compared_columns(spec)]
    return tuple(name for name, one, other in zip(names, ours, theirs, strict=True) if one != other)
