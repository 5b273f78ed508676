"""What must hold after each run and at the end of a scenario, worked out from the world's rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cogny_source.errors import ConfigError, MassDeletion
from tests.simulation.limits import find_limits, find_unseen
from tests.simulation.model import TEXTS
from tests.simulation.play import Ended, Simulation
from tests.simulation.scenario import DAY, RunScript, Scenario
from tests.simulation.world import BORN, DATED, Row

# What a settled account costs at most, per resource and page of its list; see `check_requests`.
REQUESTS_A_RUN = 30
REQUESTS_A_PAGE = 30
DAYS_OF_A_WEEK = 9


class Wrong(AssertionError):
    """The connector broke a promise.

    Args:
        kind: Which one, in a few words; shrinking keeps it.
        told: What was seen.
    """

    def __init__(self, kind: str, told: str) -> None:
        super().__init__(f"{kind}: {told}")
        self.kind = kind


@dataclass
class Oracle:
    """Compares tables and claims with the world.

    Args:
        simulation: What was played.
    """

    simulation: Simulation

    @property
    def scenario(self) -> Scenario:
        """What is played."""
        return self.simulation.scenario

    @property
    def start(self) -> datetime | None:
        """The `start_date` of the last run."""
        last = self.simulation.ended[-1].script if self.simulation.ended else RunScript()
        return self.simulation.find_start(last)

    def listed(self, name: str) -> dict[str, Row]:
        """The rows that belong into a table."""
        rows, start = self.simulation.world.rows[name], self.start
        if start is None or name not in DATED:
            return rows
        return {key: row for key, row in rows.items() if _instant(row["created_at"]) >= start}

    def differences(self, name: str) -> list[str]:
        """How a table differs from the world."""
        return sorted(told for some in self.find_differences(name).values() for told in some)

    def find_differences(self, name: str) -> dict[str, list[str]]:
        """How each row of a table differs from the world, by key."""
        listed, held = self.listed(name), self.simulation.tables.rows[name]
        found = {key: [f"lacks {key}"] for key in listed.keys() - held.keys()}
        for key, row in held.items():
            if key in listed:
                told = [f"{key} is marked deleted, but listed"] if row["deleted_at"] is not None else []
                found[key] = told + self._compare(name, key, listed[key])
            elif row["deleted_at"] is None:
                found[key] = [f"{key} is not marked deleted"]
        return {key: told for key, told in found.items() if told}

    def _compare(self, name: str, key: str, row: Row) -> list[str]:
        cells = self.simulation.tables.rows[name][key]
        found = {TEXTS[name]: cells[TEXTS[name]]}
        wanted = {TEXTS[name]: row[TEXTS[name]]}
        if name in DATED:
            found |= {field: cells[field] for field in ("created_at", "updated_at")}
            wanted |= {field: _instant(row[field]) for field in ("created_at", "updated_at")}
        told = [
            f"{key}.{field} is {found[field]}, not {wanted[field]}" for field in wanted if found[field] != wanted[field]
        ]
        if name == "tickets":
            items = [element["value"] for element in self.simulation.tables.lists["tickets__action_items"].get(key, [])]
            told += [f"{key}.action_items are {items}"] if items != row["action_items"] else []
        return told

    @property
    def counts_exactly(self) -> bool:
        """Whether the API counts the rows that belong into a table."""
        habits = self.scenario.habits
        if habits.count is None or self.start is None:
            return habits.count is not None
        return habits.count == "filtered" and "created_after" not in habits.ignored

    def has_common_row(self) -> bool:
        """Whether one row that the API lists is in the tables, which proves that both are of one account."""
        tables, world = self.simulation.tables, self.simulation.world
        return any(tables.rows[name].keys() & world.rows[name].keys() for name in self.scenario.resources)

    def find_limits(self, differing: Mapping[str, set[str]]) -> tuple[str, ...]:
        """The classes that explain the rows that differ; empty if one of them is in none."""
        simulation = self.simulation
        known = find_limits(
            self.scenario, simulation.world, differing, counted=self.counts_exactly, broken=simulation.broken
        )
        return known or ()

    def check_run(self, ended: Ended) -> None:
        """What a run claims holds: it is never green and wrong, and it ends within bounds."""
        self.check_requests(ended)
        self.check_history()
        self._check_refusal(ended)
        if not ended.green:
            return
        for name, run in ended.runs.items():
            counts = run.counts
            if run.status != "done":
                raise Wrong("a green run left a resource undone", f"{name}: {run.status}")
            self._check_compared_since(name, ended)
            if not ended.quiet:
                continue
            if ended.script.window_days is not None:
                self._check_window(name, ended.script.window_days)
                continue
            differs = self.differences(name)
            faults = [one for one in counts.differences or () if not one.fresh]
            if counts.differences is not None and bool(differs) != bool(counts.differences):
                raise Wrong("verification is green and wrong", f"{name}: {differs}, but {counts.differences}")
            if faults and not differs:
                raise Wrong("verification names what does not differ", f"{name}: {faults}")
            self._check_counts(name, ended)

    def _check_refusal(self, ended: Ended) -> None:
        """Where masses of rows are not to be marked without a person's consent, the run fails and marks none."""
        for name, run in ended.runs.items():
            if not isinstance(ended.error, MassDeletion) or run.status != "failed" or run.error != str(ended.error):
                continue
            rows, before = len(self.simulation.tables.rows[name]), len(ended.marked[name])
            new = len(self.simulation.tables.find_marked(name)) - before
            if ended.quiet and 3 * new > rows - before and new >= 2:
                raise Wrong("masses of rows were marked", f"{name}: {new} of {rows}")

    def _check_compared_since(self, name: str, ended: Ended) -> None:
        """No row differs that was as it is now before it is said to have been compared."""
        since, world = ended.runs[name].counts.compared_since, self.simulation.world
        if since is None or self.simulation.lags or any(run.clock_ahead_seconds for run in self.scenario.runs):
            return
        since -= timedelta(seconds=world.clock_offset_seconds)
        unseen = find_unseen(self.scenario, world, name, broken=self.simulation.broken)
        if self.scenario.habits.single_rows == "kept":  # a row that is gone was compared with its own answer
            unseen |= self.simulation.tables.rows[name].keys() - world.rows[name].keys()
        for key, told in self.find_differences(name).items():
            if world.changed_at[name, key] < since and key not in unseen:
                raise Wrong("compared_since is wrong", f"{name}: {told}, but compared since {since}")

    def _check_window(self, name: str, days: tuple[float, float]) -> None:
        """What was created in a window that was read is as the API lists it."""
        if name not in DATED:
            return
        start, end = (BORN - timedelta(days=at) for at in days)
        listed, differs = self.listed(name), self.find_differences(name)
        told = [differs[key] for key in listed.keys() & differs.keys() if start <= _born(listed[key]) < end]
        if told and not any(self.simulation.world.revived.values()):
            raise Wrong("a window is wrong", f"{name}: {told}")

    def _check_counts(self, name: str, ended: Ended) -> None:
        counts, tables = ended.runs[name].counts, self.simulation.tables
        start = self.start
        live = sum(
            row["deleted_at"] is None and (start is None or row["created_at"] is None or row["created_at"] >= start)
            for row in tables.rows[name].values()
        )
        if counts.live_rows not in (None, live):
            raise Wrong("live_rows is wrong", f"{name}: {counts.live_rows}, not {live}")
        if counts.api_rows is not None and self.scenario.habits.surplus == 0:
            true = len(self.listed(name))
            if self.counts_exactly and counts.api_rows != true:
                raise Wrong("api_rows is wrong", f"{name}: {counts.api_rows}, not {true}")
        clock_is_right = not self.simulation.world.clock_offset_seconds
        if clock_is_right and counts.api_rows is not None and counts.unexplained_rows != counts.api_rows - live:
            raise Wrong("unexplained_rows is wrong", f"{name}: {counts.unexplained_rows}")
        new = len(tables.find_marked(name) - ended.marked[name])
        if (counts.deleted_rows or 0) + counts.corrections["not listed"] != new:
            raise Wrong(
                "deleted_rows is wrong", f"{name}: {counts.deleted_rows}, {counts.corrections}; {new} were marked"
            )

    def check_requests(self, ended: Ended) -> None:
        """A run ends within a bound that grows with the list alone."""
        pages = sum(-(-len(rows) // self.scenario.habits.page_rows) for rows in self.simulation.world.rows.values())
        most = REQUESTS_A_RUN + REQUESTS_A_PAGE * (pages + 1) + 4 * len(ended.script.events)
        if ended.requests > most:
            raise Wrong("too many requests", f"{ended.requests} for {pages} pages")

    def check_history(self) -> None:
        """Each version in the history existed."""
        for (key, updated_at), cells in self.simulation.tables.history["tickets"].items():
            versions = self.simulation.world.version("tickets", key, updated_at)
            if cells["title"] not in [row["title"] for row in versions]:
                raise Wrong("the history holds what never was", f"{key} of {updated_at}: {cells['title']}")

    def check_end(self, ended: Ended) -> None:
        """The tables hold what the API lists, to the cell, and of rows that are gone what they were."""
        if not ended.green:
            raise Wrong("a quiet sync failed", f"{type(ended.error).__name__}: {ended.error}")
        for name in self.scenario.resources:
            differs = self.differences(name)
            if differs:
                raise Wrong("the tables are wrong", f"{name}: {'; '.join(differs)}")
            self._check_gone(name)
        listed = self.listed("tickets").items() if "tickets" in self.scenario.resources else ()
        for key, row in listed:
            if (key, _instant(row["updated_at"])) not in self.simulation.tables.history["tickets"]:
                raise Wrong("the history lacks a version", f"{key} of {row['updated_at']}")

    def _check_gone(self, name: str) -> None:
        listed, held = self.listed(name), self.simulation.tables.rows[name]
        for key in held.keys() - listed.keys():
            versions = self.simulation.world.all_versions(name, key)
            if not any(not self._compare(name, key, version) for version in versions):
                raise Wrong("a deleted row is none of its versions", f"{name}: {held[key]}")

    def check_rest(self, ended: Ended) -> None:
        """Where nothing changed, a sync finds nothing, marks nothing, and asks little."""
        for name, run in ended.runs.items():
            if run.counts.corrections or run.counts.deleted_rows:
                raise Wrong("a rest is no rest", f"{name}: {run.counts.corrections}, {run.counts.deleted_rows}")
            if run.counts.differences:
                raise Wrong("a rest differs", f"{name}: {run.counts.differences}")


def settle(simulation: Simulation) -> tuple[str, ...]:
    """Let the account rest, sync, and compare.

    Returns:
        The named classes of differences that only a census, or a week of syncs, could find; see `limits.py`.
    """
    oracle, scenario = Oracle(simulation), simulation.scenario

    def sync(wait_seconds: float = 2 * DAY, **options: Any) -> Ended:
        # An API that counts more than it lists fails one run for each resource, which then accepts the number.
        for _ in range(1 + len(scenario.resources) if scenario.habits.surplus else 1):
            ended = simulation.run(RunScript(wait_seconds=wait_seconds, resources=scenario.resources, **options))
            oracle.check_run(ended)
            if ended.green:
                break
        return ended

    ended = sync()
    if isinstance(ended.error, ConfigError) and not oracle.has_common_row():
        return ("account",)
    limits: tuple[str, ...] = ()
    differing = {name: {*oracle.find_differences(name)} for name in scenario.resources}
    if ended.green and any(differing.values()):
        limits = oracle.find_limits(differing)
        if limits and scenario.settle == "week":
            for _ in range(DAYS_OF_A_WEEK):
                ended = sync(DAY)
        elif limits:
            ended = sync(census="always")
    oracle.check_end(ended)
    ended = sync(verify=True)
    oracle.check_end(ended)
    oracle.check_rest(ended)
    return limits


def _born(row: Row) -> datetime:
    return _instant(row["created_at"])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
