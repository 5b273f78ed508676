"""The comparison of two sides of a resource without a database: opening DuckDB takes longer than a whole world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.destinations.reader import DestinationReader
from cogny_source.reconcile.comparison import Differing
from cogny_source.reconcile.digest import EMPTY_LIST, digest_children, digest_rows
from cogny_source.schema import TableSpec
from cogny_source.windows import UPDATED, Window

Key = tuple[str, str]


class PlainComparison:
    """Stands for `Comparison`; `test_stand_ins.py` holds both against each other.

    Args:
        spec: The resource's table.
    """

    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec
        # Table and key to the digest, None for a key that occurs twice.
        self._ours: dict[Key, int | None] = {}
        self._dead: set[str] = set()
        self._undated: set[str] = set()
        self._stamps: dict[str, int | None] = {}
        self._theirs: dict[Key, int] = {}
        self._their_stamps: dict[str, int | None] = {}

    def __enter__(self) -> Self:
        """The comparison itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is to be closed."""

    @classmethod
    def with_destination(cls, destination: DestinationReader, spec: TableSpec, window: Window) -> Self:
        """A comparison with the destination's rows of a window of creation time."""
        comparison = cls(spec)
        children = {child.name: destination.read_children(spec, child, window) for child in spec.child_tables}
        comparison.take_ours(destination.read_rows(spec, window), children)
        return comparison

    def take_ours(self, rows: Iterable[pa.Table], children: Mapping[str, Iterable[pa.Table]]) -> None:
        """Add the destination's rows."""
        name = self._spec.name
        for table in rows:
            marks, dates, stamps = (table[c].to_pylist() for c in ("deleted_at", "created_at", UPDATED))
            micros = _micros(table)
            for place, (key, digest) in enumerate(_pairs(digest_rows(self._spec, table))):
                twice = (name, key) in self._ours
                self._ours[name, key] = None if twice else digest
                if marks[place] is not None and not twice:
                    self._dead.add(key)
                elif marks[place] is None:
                    self._dead.discard(key)
                if dates[place] is None:
                    self._undated.add(key)
                if stamps[place] is not None:
                    self._stamps[key] = max(micros[place], self._stamps.get(key) or micros[place])
        for child in self._spec.child_tables:
            for batch in digest_children(child, children[child.name]):
                self._ours |= {(child.name, key): digest for key, digest in _pairs(batch)}

    def take_theirs(self, tables: dict[str, pa.Table]) -> Differing:
        """Add rows that the API lists; returns those that are missing in the destination or differ."""
        parent, name = tables[self._spec.name], self._spec.name
        theirs = {(name, key): digest for key, digest in _pairs(digest_rows(self._spec, parent))}
        for child in self._spec.child_tables:
            for batch in digest_children(child, [tables[child.name]]):
                theirs |= {(child.name, key): digest for key, digest in _pairs(batch)}
        stamps = dict(zip(parent[self._spec.key].to_pylist(), _micros(parent), strict=True))
        self._theirs |= theirs
        for key, stamp in stamps.items():
            known = self._their_stamps.get(key)
            self._their_stamps[key] = stamp if known is None else max(known, stamp or known)
        keys = sorted({key for (part, key), digest in theirs.items() if self._differs(part, key, digest)})
        keys = [key for key in keys if (name, key) in theirs]
        older = {
            key: stamp
            for key in keys
            if (ours := self._stamps.get(key)) is not None
            and key not in self._dead
            and (stamp := stamps[key]) is not None
            and ours > stamp
        }
        missing = sum((name, key) not in self._ours for key in keys)
        return Differing(keys, older, missing, sum(key in self._dead for key in keys))

    def any_listed(self) -> str | None:
        """The key of a row on both sides."""
        name = self._spec.name
        return min((key for part, key in self._theirs if part == name and (part, key) in self._ours), default=None)

    def count_live(self) -> int:
        """The number of live rows in the destination."""
        return len(self._live())

    def gone(self, *, dated_only: bool) -> list[str]:
        """The keys of live rows that the API did not list."""
        listed = {key for _, key in self._theirs}
        return sorted(self._live() - listed - (self._undated if dated_only else set()))

    def orphans(self, part: str) -> list[str]:
        """The keys of child rows without a parent on either side."""
        listed = {key for _, key in self._theirs}
        keys = {key for name, key in self._ours if name == part}
        return sorted(key for key in keys - listed if (self._spec.name, key) not in self._ours)

    def doubled(self) -> list[str]:
        """The keys of rows that occur more than once and that the API did not list."""
        listed = {key for _, key in self._theirs}
        name = self._spec.name
        return sorted(
            key for (part, key), digest in self._ours.items() if digest is None and part == name and key not in listed
        )

    def differing(self) -> list[tuple[str, str, str, int | None]]:
        """The differences: table, key, kind, and the API's `updated_at` in microseconds since 1970."""
        name = self._spec.name
        listed = {key for _, key in self._theirs}
        found: list[tuple[str, str, str, int | None]] = [
            (part, key, self._tell(part, key), self._their_stamps[key])
            for (part, key), digest in self._theirs.items()
            if self._differs(part, key, digest) and (part == name or (name, key) in self._ours)
        ]
        found += [
            (part, key, "without a parent", None)
            for part, key in self._ours
            if part != name and (name, key) not in self._ours and key not in listed
        ]
        return sorted(found, key=lambda row: row[:3])

    def _live(self) -> set[str]:
        return {key for part, key in self._ours if part == self._spec.name and key not in self._dead}

    def _differs(self, part: str, key: str, digest: int) -> bool:
        if part == self._spec.name and key in self._dead:
            return True
        if (part, key) not in self._ours:
            return digest != EMPTY_LIST
        return self._ours[part, key] != digest

    def _tell(self, part: str, key: str) -> str:
        if part != self._spec.name:
            return "differs"
        if (part, key) not in self._ours:
            return "missing"
        if self._ours[part, key] is None:
            return "there more than once"
        return "marked deleted, but listed" if key in self._dead else "differs"


def _pairs(batch: pa.Table) -> Iterable[tuple[str, int]]:
    return zip(batch["key"].to_pylist(), batch["digest"].to_pylist(), strict=True)


def _micros(table: pa.Table) -> list[Any]:
    stamps: list[Any] = pc.cast(table[UPDATED].cast(pa.timestamp("us", tz="UTC")), pa.int64()).to_pylist()
    return stamps
