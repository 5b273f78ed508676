"""Compares the rows of API and destination by digest, in a scratch database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.destinations.reader import DestinationReader
from cogny_source.reconcile.digest import EMPTY_LIST, digest_children, digest_rows
from cogny_source.schema import TableSpec
from cogny_source.windows import UPDATED, Window


@dataclass(frozen=True)
class Differing:
    """Rows of a chunk that differ between API and destination.

    Attributes:
        keys: Their keys.
        older: Rows whose version in the API is older: key to the API's `updated_at`, in microseconds since 1970.
        missing: How many are missing in the destination.
        marked: How many are marked deleted there.
    """

    keys: list[str]
    older: dict[str, int]
    missing: int
    marked: int


class Comparison:
    """Both sides of one resource; a context manager that closes the scratch database.

    Args:
        spec: The resource's table.
    """

    def __init__(self, spec: TableSpec) -> None:
        self._spec = spec
        self._db = duckdb.connect()
        self._db.execute(
            "CREATE TABLE ours"
            " (part VARCHAR, key VARCHAR, digest BIGINT, live BOOLEAN, dated BOOLEAN, updated_at BIGINT)"
        )
        self._db.execute(
            "CREATE TABLE theirs (part VARCHAR, key VARCHAR, digest BIGINT, updated_at BIGINT, seen BIGINT)"
        )
        self._seen = 0

    def __enter__(self) -> Self:
        """The comparison itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the scratch database."""
        self._db.close()

    @classmethod
    def with_destination(cls, destination: DestinationReader, spec: TableSpec, window: Window) -> Self:
        """A comparison with the destination's rows of a window of creation time.

        Make it before requesting the API's rows, so that these are never the older ones.
        """
        comparison = cls(spec)
        with destination.connect():
            children = {child.name: destination.read_children(spec, child, window) for child in spec.child_tables}
            comparison.take_ours(destination.read_rows(spec, window), children)
        return comparison

    def take_ours(self, rows: Iterable[pa.Table], children: Mapping[str, Iterable[pa.Table]]) -> None:
        """Add the destination's rows.

        Args:
            rows: Rows of the table, with `deleted_at`.
            children: Child table name to its rows, in the order of its key.
        """
        for table in rows:
            batch = digest_rows(self._spec, table)
            batch = batch.append_column("live", table["deleted_at"].is_null())
            batch = batch.append_column("dated", table["created_at"].is_valid())
            stamps = table[UPDATED].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
            batch = batch.append_column(UPDATED, stamps)
            self._insert("ours", self._spec.name, batch)
        for child in self._spec.child_tables:
            for batch in digest_children(child, children[child.name]):
                always = pa.array([True] * len(batch), pa.bool_())
                batch = batch.append_column("live", always).append_column("dated", always)
                self._insert("ours", child.name, batch.append_column(UPDATED, pa.nulls(len(batch), pa.int64())))
        # A key that occurs twice equals nothing.
        self._db.execute(
            "CREATE OR REPLACE TABLE ours AS SELECT part, key,"
            " CASE WHEN count(*) = 1 THEN any_value(digest) END AS digest,"
            " bool_or(live) AS live, bool_and(dated) AS dated, count(*) AS times, max(updated_at) AS updated_at"
            " FROM ours GROUP BY part, key"
        )

    def take_theirs(self, tables: dict[str, pa.Table]) -> Differing:
        """Add rows that the API lists.

        Args:
            tables: A chunk's tables.

        Returns:
            Those that are missing in the destination or differ.
        """
        self._seen += 1
        parent = tables[self._spec.name]
        parts = {self._spec.name: digest_rows(self._spec, parent)}
        for child in self._spec.child_tables:
            parts[child.name] = pa.concat_tables(digest_children(child, [tables[child.name]]))
        updated = pc.cast(parent[UPDATED], pa.int64())
        nothing = pa.nulls(len(parent), pa.int64())
        for part, batch in parts.items():
            stamped = batch.append_column("updated_at", updated if part == self._spec.name else nothing)
            seen = pa.array([self._seen] * len(batch), pa.int64())
            self._insert("theirs", part, stamped.append_column("seen", seen))
        rows = self._db.execute(
            f"""
            WITH differing AS (
                SELECT DISTINCT t.key FROM theirs t LEFT JOIN ours o ON o.part = t.part AND o.key = t.key
                WHERE t.seen = $seen AND (NOT coalesce(o.live, true) OR
                    CASE WHEN o.key IS NULL THEN t.digest <> {EMPTY_LIST} ELSE o.digest IS DISTINCT FROM t.digest END))
            SELECT d.key, o.key IS NULL, NOT coalesce(o.live, true),
                CASE WHEN o.live AND o.updated_at > t.updated_at THEN t.updated_at END
            FROM differing d
            JOIN theirs t ON t.key = d.key AND t.seen = $seen AND t.part = $part
            LEFT JOIN ours o ON o.key = d.key AND o.part = $part
            """,
            {"seen": self._seen, "part": self._spec.name},
        ).fetchall()
        return Differing(
            [key for key, *_ in rows],
            {key: stamp for key, _, _, stamp in rows if stamp is not None},
            sum(missing for _, missing, _, _ in rows),
            sum(marked for _, _, marked, _ in rows),
        )

    def any_listed(self) -> str | None:
        """The key of a row on both sides; None if there is none."""
        query = "SELECT min(t.key) FROM theirs t JOIN ours o USING (part, key) WHERE part = ?"
        [(key,)] = self._db.execute(query, [self._spec.name]).fetchall()
        return None if key is None else str(key)

    def count_live(self) -> int:
        """The number of live rows in the destination."""
        query = "SELECT count(*) FROM ours WHERE part = ? AND live"
        [(rows,)] = self._db.execute(query, [self._spec.name]).fetchall()
        return int(rows)

    def gone(self, *, dated_only: bool) -> list[str]:
        """The keys of live rows that the API did not list.

        Args:
            dated_only: Leave out rows without `created_at`: a filter by it may have hidden them.
        """
        rows = self._db.execute(
            "SELECT key FROM ours WHERE part = ? AND live AND (dated OR NOT ?)"
            " AND key NOT IN (SELECT key FROM theirs) ORDER BY key",
            [self._spec.name, dated_only],
        ).fetchall()
        return [key for (key,) in rows]

    def orphans(self, part: str) -> list[str]:
        """The keys of child rows without a parent on either side.

        Args:
            part: The child table.
        """
        rows = self._db.execute(
            "SELECT DISTINCT key FROM ours WHERE part = ? AND key NOT IN (SELECT key FROM ours WHERE part = ?)"
            " AND key NOT IN (SELECT key FROM theirs) ORDER BY key",
            [part, self._spec.name],
        ).fetchall()
        return [key for (key,) in rows]

    def doubled(self) -> list[str]:
        """The keys of rows that occur more than once and that the API did not list."""
        rows = self._db.execute(
            "SELECT key FROM ours WHERE part = ? AND times > 1 AND key NOT IN (SELECT key FROM theirs) ORDER BY key",
            [self._spec.name],
        ).fetchall()
        return [key for (key,) in rows]

    def differing(self) -> list[tuple[str, str, str, int | None]]:
        """The differences: table, key, kind, and the API's `updated_at` in microseconds since 1970.

        The kinds are `missing`, `differs`, `marked deleted, but listed` and `there more than once`.
        """
        return self._db.execute(
            f"""
            WITH newest AS (SELECT part, key, arg_max(digest, seen) AS digest FROM theirs GROUP BY ALL),
            stamps AS (SELECT key, max(updated_at) AS updated_at FROM theirs WHERE part = $part GROUP BY key)
            SELECT t.part, t.key, CASE
                WHEN o.key IS NULL AND t.part = $part THEN 'missing'
                WHEN o.times > 1 AND t.part = $part THEN 'there more than once'
                WHEN NOT o.live THEN 'marked deleted, but listed'
                ELSE 'differs' END, s.updated_at
            FROM newest t JOIN stamps s ON s.key = t.key LEFT JOIN ours o ON o.part = t.part AND o.key = t.key
            WHERE (NOT coalesce(o.live, true)
                OR CASE WHEN o.key IS NULL THEN t.digest <> {EMPTY_LIST} ELSE o.digest IS DISTINCT FROM t.digest END)
                AND (t.part = $part OR t.key IN (SELECT key FROM ours WHERE part = $part))
            UNION ALL
            SELECT part, key, 'without a parent', NULL FROM ours
            WHERE part <> $part AND key NOT IN (SELECT key FROM ours WHERE part = $part)
                AND key NOT IN (SELECT key FROM theirs)
            ORDER BY ALL
            """,
            {"part": self._spec.name},
        ).fetchall()

    def _insert(self, side: str, part: str, batch: pa.Table) -> None:
        self._db.register("batch", batch)
        names = ", ".join(batch.column_names)
        self._db.execute(f"INSERT INTO {side} (part, {names}) SELECT ?, {names} FROM batch", [part])
        self._db.unregister("batch")
