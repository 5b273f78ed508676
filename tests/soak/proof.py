"""What must hold at a soak's end, worked out from the sandbox's rows and all their versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.sandbox import RESOURCES, World
from tests.soak.world import DATED, Habits, Row, Versions, Writer
from tests.support.truth import assert_exact, instant

MARGIN = timedelta(seconds=1)
Stamps = dict[str, list[Any]]


@dataclass(frozen=True)
class Expected:
    """Rows in place of a world's."""

    by_resource: dict[str, list[Row]]

    def rows(self, resource: str) -> list[Row]:
        """The rows of a resource."""
        return self.by_resource[resource]


@dataclass
class Proof:
    """Compares a database with the API.

    Attributes:
        database: The file.
        world: The API's rows.
        habits: The API's habits.
        writer: Who changed the rows.
        versions: Every version of every row.
        churned: Whether rows changed while they were listed.
        interrupted: Whether a run ended before its time.
    """

    database: Path
    world: World
    habits: Habits
    writer: Writer
    versions: Versions
    churned: bool = False
    interrupted: bool = False

    def _listed(self, resource: str) -> list[Row]:
        rows, start = self.world.rows(resource), self.habits.start_date
        if start is None or resource == "warehouses":
            return rows
        return [row for row in rows if instant(row["created_at"]) >= start]  # type: ignore[operator]

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
            return connection.execute(query).fetchall()

    def _skips_unseen(self, resource: str) -> bool:
        """Whether a cursor that counts places may have skipped a changed row, and no count told of it.

        A row that moves behind the reader, or vanishes, moves the next one into its place. Only the API's count of
        that listing tells, and only at its end.
        """
        if resource == "warehouses" or not self.churned or self.habits.switches["cursor_kind"] != "offset":
            return False
        switches = self.habits.switches
        return self.interrupted or not switches["total_count"] or switches["total_count_unfiltered"]

    def must_ask_for_census(self) -> bool:
        """Whether the contract leaves a resource's difference without a trace.

        Without a count nothing tells of rows that vanished. A row that came back just as it was stands behind the
        watermark; where as many others vanished, the counts agree.
        """
        for name in RESOURCES:
            [(live,)] = self._ask(f"SELECT count(*) FROM {name} WHERE deleted_at IS NULL")
            balanced = bool(self.writer.revived[name]) and live == len(self._listed(name))
            if not self.habits.counts(name) or balanced or self._skips_unseen(name):
                return True
        return False

    def check_listed(self) -> None:
        """Without a census, listed rows are exact but for those that came back unseen, and none is newly marked."""
        for name in DATED:
            if self._skips_unseen(name):
                continue
            held = dict(self._ask(f"SELECT id, updated_at FROM {name} WHERE deleted_at IS NULL"))
            listed = {row["id"]: instant(row["updated_at"]) for row in self._listed(name)}
            unseen = self.writer.revived[name]
            wrong = {key for key, stamp in listed.items() if held.get(key) != stamp and key not in unseen}
            assert not wrong, f"without a census {name} lacks or holds otherwise {sorted(wrong)}"

    def _expected(self) -> Expected:
        """What the tables must hold: what is listed now, and of other rows the version that was held last."""
        rows: dict[str, list[Row]] = {}
        for name in RESOURCES:
            rows[name] = list(self._listed(name))
            listed = {row["id"] for row in rows[name]}
            for key, updated_at in self._ask(f"SELECT id, updated_at FROM {name}"):
                if key in listed:
                    continue
                version = self.versions.at(name, key, updated_at)
                assert version, f"{name} holds {key} of {updated_at}, which never was"
                rows[name].append(version)
        return Expected(rows)

    def check_tables(self) -> None:
        for name in RESOURCES:
            listed = {row["id"] for row in self._listed(name)}
            marked = {key for (key,) in self._ask(f"SELECT id FROM {name} WHERE deleted_at IS NOT NULL")}
            held = {key for (key,) in self._ask(f"SELECT id FROM {name}")}
            assert not listed & marked, f"{name}: listed and marked deleted"
            assert listed <= held, f"{name} lacks {sorted(listed - held)}"
            assert held - listed == marked, f"{name}: not marked deleted {sorted(held - listed - marked)}"
        self._check_cells()

    def _check_cells(self) -> None:
        """Every cell, of rows that are marked deleted too; of warehouses that are gone only what came last is known."""
        expected = self._expected()
        listed = {row["id"] for row in self._listed("warehouses")}
        held = {row[0]: row for row in self._ask("SELECT id, name, type, status FROM warehouses")}
        for place, row in enumerate(expected.by_resource["warehouses"]):
            if row["id"] not in listed:
                cells = dict(zip(("id", "name", "type", "status"), held[row["id"]], strict=True))
                known = self.versions.of("warehouses", row["id"])
                assert any(cells.items() <= version.items() for version in known), cells
                expected.by_resource["warehouses"][place] = cells
        assert_exact(self._ask, expected, marks=False)  # type: ignore[arg-type]

    def check_history(self) -> None:
        """Each version once, each true, and the present one of every listed row among them."""
        columns = {"tickets": ("status", "priority", "category", "assignee", "effort"), "reports": ("status",)}
        for name, fields in columns.items():
            rows = self._ask(f"SELECT id, updated_at, {', '.join(fields)} FROM {name}_history")
            keys = [row[:2] for row in rows]
            assert len(keys) == len(set(keys)), f"{name}_history repeats a version"
            for key, updated_at, *cells in rows:
                version = self.versions.at(name, key, updated_at)
                assert version, f"{name}_history holds {key} of {updated_at}, which never was"
                assert cells == [version[field] for field in fields], (name, key)
            present = {(row["id"], instant(row["updated_at"])) for row in self._listed(name)}
            assert present <= set(keys), f"{name}_history lacks {sorted(present - set(keys))}"

    def check_nothing_changed(self, before: dict[str, Stamps], result: SyncResult) -> None:
        """A sync found no difference, wrote no row beyond the overlap, and marked nothing.

        Args:
            before: The tables' stamps before it.
            result: What it did, with `verify`.
        """
        after = self.stamps()
        for run in result.resources:
            name = run.resource
            assert run.status == "done", name
            if name not in RESOURCES:  # the contents of reports
                continue
            assert run.counts.differences == (), run.counts.differences
            assert not run.counts.deleted_rows, name
            written = {key for key, stamp in after[name].items() if before[name].get(key) != stamp}
            assert written <= self._overlap(run), f"{name}: {sorted(written)} were written again"

    def stamps(self) -> dict[str, Stamps]:
        """By table and key, the load that wrote a row, and when it was marked deleted."""
        return {
            name: {key: rest for key, *rest in self._ask(f"SELECT id, _dlt_load_id, deleted_at FROM {name}")}
            for name in RESOURCES
        }

    def _overlap(self, run: ResourceRun) -> set[str]:
        """The keys that an incremental pass brings although nothing changed."""
        ignored = set(self.habits.switches["ignored_filters"].get(run.resource, ()))
        rows = [] if run.resource == "warehouses" else self._listed(run.resource)
        mark = instant(run.updated_after_before)
        if ignored & {"*", "updated_after"} or mark is None:
            return {row["id"] for row in rows}
        start = mark - timedelta(seconds=self.habits.overlap_seconds) - MARGIN
        return {row["id"] for row in rows if instant(row["updated_at"]) >= start}  # type: ignore[operator]
