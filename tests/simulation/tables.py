"""A destination of plain dictionaries, behind the ports through which a run reads and loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa

from cogny_source.destinations.reader import EVERYTHING, LiveCount
from cogny_source.extract.endpoints import Endpoint
from cogny_source.extract.state import State
from cogny_source.records.columns import arrow_schema
from cogny_source.records.package import Package
from cogny_source.schema import LOAD_ID, TOMBSTONE, ChildSpec, TableSpec
from cogny_source.windows import Window
from tests.simulation.model import SMALL_ENDPOINTS

Cells = dict[str, Any]
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
SCHEMAS: dict[str, pa.Schema] = {}


def schema_of(spec: TableSpec | ChildSpec) -> pa.Schema:
    """The Arrow schema of a table with the id of the load, without the tombstone."""
    if spec.name not in SCHEMAS:
        schema = arrow_schema([column for column in spec.columns if column.name != TOMBSTONE])
        SCHEMAS[spec.name] = schema.append(pa.field(LOAD_ID.name, pa.string()))
    return SCHEMAS[spec.name]


@dataclass(frozen=True)
class Kept:
    """What the tables hold at one moment; see `Tables`."""

    rows: dict[str, dict[str, Cells]]
    lists: dict[str, dict[str, list[Cells]]]
    history: dict[str, dict[tuple[str, datetime], Cells]]
    states: dict[str, dict[str, State]]
    loads: int

    @cached_property
    def key(self) -> str:
        """Equal for contents from which every run goes on alike: the ids of loads, and older states, are left out."""
        rows = [[_without_load(row) for row in table.values()] for table in self.rows.values()]
        lists = [
            [(key, [one["value"] for one in some]) for key, some in table.items()] for table in self.lists.values()
        ]
        history = [[(key, _without_load(row)) for key, row in table.items()] for table in self.history.values()]
        return repr((rows, lists, history, self.states[f"{self.loads}.0"] if self.loads else None))


class Tables:
    """The tables and the committed states; a load is there whole or not at all.

    Args:
        step: Called before and after each commit; may raise in place of it.
        endpoints: The resources.

    Attributes:
        rows: Resource to its rows by key.
        lists: Child table to the elements of each row's list, by the row's key, in order.
        history: Resource to its versions, by key and `updated_at`.
        states: The state of each committed load, by its id.
        loads: How many loads were committed.
    """

    def __init__(self, step: Callable[[str], None], endpoints: dict[str, Endpoint] = SMALL_ENDPOINTS) -> None:
        self.step = step
        self._specs = {name: endpoint.table for name, endpoint in endpoints.items()}
        self.rows: dict[str, dict[str, Cells]] = {name: {} for name in self._specs}
        self.lists: dict[str, dict[str, list[Cells]]] = {
            child.name: {} for spec in self._specs.values() for child in spec.child_tables
        }
        self.history: dict[str, dict[tuple[str, datetime], Cells]] = {name: {} for name in self._specs}
        self.states: dict[str, dict[str, State]] = {}
        self.loads = 0
        self._kept: Kept | None = None

    def keep(self) -> Kept:
        """What they hold now; a later load leaves it as it is."""
        if self._kept is None:
            self._kept = Kept(self.rows, self.lists, self.history, self.states, self.loads)
        return self._kept

    def put(self, kept: Kept) -> None:
        """Hold what they held at another moment."""
        self.rows, self.lists, self.history = kept.rows, kept.lists, kept.history
        self.states, self.loads, self._kept = kept.states, kept.loads, kept

    def _copy_kept(self) -> None:
        """Before a change: what was kept stays."""
        if self._kept is None:
            return
        self.rows = {name: dict(table) for name, table in self.rows.items()}
        self.lists = {name: dict(table) for name, table in self.lists.items()}
        self.history = {name: dict(table) for name, table in self.history.items()}
        self.states, self._kept = dict(self.states), None

    # Loading.

    def load(self, package: Package) -> set[str]:
        """Commit a package."""
        self.step("before a commit")
        self._copy_kept()
        known = self.newest_states
        self.loads += 1
        load_id = f"{self.loads}.0"
        for name, chunk in package.chunks.items():
            self._merge(self._specs[name], chunk.tables, load_id)
        states = {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
        # A state is stored as JSON.
        self.states[load_id] = json.loads(json.dumps({**known, **states}))
        self.step("after a commit")
        return {load_id}

    def load_states(self, package: Package) -> None:
        """Commit a package that has only states."""
        self.load(package)

    def recreate_tables(self, package: Package) -> None:
        """Do nothing: no table is ever lost."""

    def restore(self, token: str) -> tuple[dict[str, State], set[str]]:
        """The newest states, and the ids of all loads."""
        return json.loads(json.dumps(self.newest_states)), self.state_ids()

    @property
    def newest_states(self) -> dict[str, State]:
        """The states of the last load, by resource."""
        return self.states[f"{self.loads}.0"] if self.loads else {}

    def _merge(self, spec: TableSpec, tables: dict[str, pa.Table], load_id: str) -> None:
        for row in tables[spec.name].to_pylist() if spec.name in tables else ():
            self.rows[spec.name][row[spec.key]] = row | {LOAD_ID.name: load_id}
        for child in spec.child_tables:
            elements = tables[child.name].to_pylist() if child.name in tables else []
            self.lists[child.name].update({element[child.root_key]: [] for element in elements})
            for element in elements:
                if not element.pop(TOMBSTONE):
                    self.lists[child.name][element[child.root_key]].append(element | {LOAD_ID.name: load_id})
        if spec.versions is not None and spec.versions.name in tables:
            for row in tables[spec.versions.name].to_pylist():
                self.history[spec.name][row[spec.key], row["updated_at"]] = row

    # Reading.

    def connect(self) -> AbstractContextManager[None]:
        """Nothing is to be opened."""
        return nullcontext()

    def query_or_empty(self, query: str) -> list[tuple[Any, ...]]:
        """No table answers SQL here; there is no record of earlier runs."""
        return []

    def count_rows(self, spec: TableSpec) -> tuple[int, int]:
        """The number of rows, and of those marked deleted."""
        rows = self.rows[spec.name].values()
        return len(rows), sum(row["deleted_at"] is not None for row in rows)

    def find_marked(self, table: str) -> set[str]:
        """The keys of the rows that are marked deleted."""
        return {key for key, row in self.rows[table].items() if row["deleted_at"] is not None}

    def count_live(
        self, spec: TableSpec, start: datetime | None, taken_at: datetime | None, key: str | None = None
    ) -> LiveCount:
        """Count the live rows."""
        live = [row for row in self._live(spec) if start is None or _is_in(row, Window(start))]
        settled = sum(row["created_at"] is None or row["created_at"] <= (taken_at or END_OF_TIME) for row in live)
        stamp = next((row["updated_at"] for row in live if row[spec.key] == key), None)
        return LiveCount(len(live), settled, stamp, sum(row["created_at"] is None for row in live))

    def read_rows(self, spec: TableSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the rows that were created in a window."""
        yield from self._show(spec, [row for row in self.rows[spec.name].values() if _is_in(row, window)])

    def read_children(self, spec: TableSpec, child: ChildSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the child rows of the rows created in a window."""
        rows = self.rows[spec.name]
        wanted = [
            key
            for key in sorted(self.lists[child.name])
            if (window.end is None if key not in rows else _is_in(rows[key], window))
        ]
        yield from self._show(child, [element for key in wanted for element in self.lists[child.name][key]])

    def read_keys(self, spec: TableSpec, keys: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows with some keys."""
        rows = self.rows[spec.name]
        yield from self._show(spec, [rows[key] for key in keys if key in rows])

    def has_columns(self, spec: TableSpec) -> bool:
        """A table is there once something was loaded."""
        return bool(self.loads)

    def read_stamps(self, spec: TableSpec, since: datetime) -> pa.Table | None:
        """Key and `updated_at` of the live rows that changed at an instant or later."""
        rows = [row for row in self._live(spec) if row["updated_at"] is not None and row["updated_at"] >= since]
        if not rows:
            return None
        (table,) = self._show(spec, rows)
        return table.select([spec.key, "updated_at"])

    def state_ids(self) -> set[str]:
        """The ids of the loads."""
        return set(self.states)

    def read_states(self, load_ids: set[str]) -> list[dict[str, State]]:
        """The states of some loads, the oldest first."""
        return [json.loads(json.dumps(self.states[load_id])) for load_id in sorted(load_ids, key=float)]

    def _live(self, spec: TableSpec) -> list[Cells]:
        return [row for row in self.rows[spec.name].values() if row["deleted_at"] is None]

    def _show(self, spec: TableSpec | ChildSpec, rows: list[Cells]) -> Iterator[pa.Table]:
        yield pa.Table.from_pylist(rows, schema=schema_of(spec))


def _is_in(row: Cells, window: Window) -> bool:
    """Whether a row was created in a window; an open end includes rows without a date."""
    created = row["created_at"]
    return window.end is None if created is None else created in window


def _without_load(row: Cells) -> list[Any]:
    return [value for name, value in row.items() if name != LOAD_ID.name]
