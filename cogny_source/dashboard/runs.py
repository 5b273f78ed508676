"""What `sync_runs` and the tables tell of the sync: its last runs, and how many rows there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from cogny_source.destinations.portable_sql import SECOND, Inquiry
from cogny_source.monitoring.health import Counts
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS

RUNS_SHOWN = 60
ERRORS_SHOWN = 8
ERROR_CHARACTERS = 600
DONE = "done"
WINDOW = "window"
# `rows` is a word of BigQuery's own: it may stand behind a point alone.
FIGURES = ("requests", "retries", "throttled", "waited_seconds", "rows")
MAYBE = ("live_rows", "unexplained_rows", "deleted_rows", "error")
INSTANTS = ("started_at", "finished_at", "updated_after_after")


@dataclass(frozen=True)
class Run:
    """One resource in one run; instants in microseconds since 1970.

    Attributes:
        run_id: The run.
        resource: The resource.
        mode: What was done; see the column of `sync_runs`.
        status: How it ended.
        requests: Requests sent.
        retries: Those that were repeated.
        throttled: Answers with status 429.
        waited_seconds: Seconds waited for the rate limit and between retries.
        rows: Rows read.
        live_rows: Rows of the table that are not marked deleted; None where they were not counted.
        unexplained_rows: Rows that the API counts beyond those; None where they were not counted.
        deleted_rows: Rows that its census marked; None where it ran none.
        error: The sentence it ended with, where it is not done.
        started_at: When it began.
        finished_at: When it ended, where that is known.
        watermark: The watermark when it ended.
    """

    run_id: str
    resource: str
    mode: str | None
    status: str
    requests: int
    retries: int
    throttled: int
    waited_seconds: float
    rows: int
    live_rows: int | None
    unexplained_rows: int | None
    deleted_rows: int | None
    error: str | None
    started_at: int
    finished_at: int | None
    watermark: int | None

    @property
    def brings_all(self) -> bool:
        """Whether the table holds all that the API had when it began; a span that was asked for tells nothing of it."""
        return self.status == DONE and self.mode != WINDOW

    @property
    def counts(self) -> Counts:
        """What it counted."""
        return Counts(self.status, self.mode, self.live_rows, self.unexplained_rows, self.deleted_rows)

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.finished_at is None else (self.finished_at - self.started_at) / SECOND


@dataclass(frozen=True)
class Proof:
    """The last verification of a resource.

    Attributes:
        at: When its run began, in microseconds since 1970.
        differences: How many rows differed.
        mended: Whether a census ran since.
    """

    at: int
    differences: int
    mended: bool


@dataclass(frozen=True)
class Resource:
    """A resource in the destination.

    Attributes:
        name: Its name.
        rows: The table's rows; None where there is no table.
        deleted: Those of them that are marked deleted.
        runs: Its last runs, the oldest first.
        proof: Its last verification.
        compared_since: Every row was held against the API, or read, at this time or later, in microseconds since 1970.
    """

    name: str
    rows: int | None
    deleted: int
    runs: tuple[Run, ...]
    proof: Proof | None
    compared_since: int | None = None

    @property
    def live(self) -> int:
        """Rows that are not marked deleted."""
        return (self.rows or 0) - self.deleted


@dataclass(frozen=True)
class Failure:
    """What a run ended with.

    Attributes:
        at: When the run began, in microseconds since 1970.
        status: `failed`, `stopped` or `killed`.
        resources: The resources that it ended.
        error: The sentence.
    """

    at: int
    status: str
    resources: tuple[str, ...]
    error: str


def read_resources(inquiry: Inquiry) -> list[Resource]:
    """Ask what there is of each resource."""
    is_recorded = inquiry.has(SYNC_RUNS.name)
    runs = _read_runs(inquiry) if is_recorded else []
    proofs = _read_proofs(inquiry) if is_recorded else {}
    compared = _read_compared(inquiry)
    found = []
    for name in RESOURCE_TABLES:
        rows, deleted = None, 0
        if inquiry.has(name):
            [(rows, deleted)] = inquiry.ask(f"SELECT count(*), count(deleted_at) FROM {name}")
        mine = tuple(run for run in runs if run.resource == name)
        found.append(Resource(name, rows, deleted, mine, proofs.get(name), compared.get(name)))
    return found


def _read_compared(inquiry: Inquiry) -> dict[str, int]:
    """Since when every row of each resource is compared."""
    if not inquiry.has_column(SYNC_RUNS.name, "compared_since"):
        return {}
    since = inquiry.micros("max(compared_since)")
    found = inquiry.ask(f"SELECT resource, {since} FROM sync_runs WHERE compared_since IS NOT NULL GROUP BY resource")
    return {resource: int(at) for resource, at in found}


def _read_runs(inquiry: Inquiry) -> list[Run]:
    """The last runs of each resource, the oldest first; a record of an older version may lack figures."""
    columns = ["r.run_id", "r.resource", "r.mode", "coalesce(r.status, 'unknown') AS ended"]
    columns += [f"coalesce(r.{name}, 0) AS its_{name}" for name in FIGURES]
    columns += [f"r.{name} AS its_{name}" for name in MAYBE]
    columns += [f"{inquiry.micros(f'r.{name}')} AS its_{name}" for name in INSTANTS]
    found = inquiry.ask(
        f"SELECT * FROM (SELECT {', '.join(columns)},"
        " row_number() OVER (PARTITION BY r.resource ORDER BY r.started_at DESC, r.run_id) AS place"
        " FROM sync_runs AS r WHERE r.started_at IS NOT NULL) AS ranked"
        f" WHERE place <= {RUNS_SHOWN} ORDER BY its_started_at, run_id"
    )
    return [Run(*row[:-1]) for row in found]


def _read_proofs(inquiry: Inquiry) -> dict[str, Proof]:
    """The last verification of each resource, and whether a census came after it."""
    started = inquiry.micros("started_at")
    censuses = dict(
        inquiry.ask(f"SELECT resource, max({started}) FROM sync_runs WHERE deleted_rows IS NOT NULL GROUP BY resource")
    )
    found = inquiry.ask(
        f"SELECT resource, started, differences FROM (SELECT resource, {started} AS started, differences,"
        " row_number() OVER (PARTITION BY resource ORDER BY started_at DESC) AS place"
        " FROM sync_runs WHERE differences IS NOT NULL AND started_at IS NOT NULL) AS ranked WHERE place = 1"
    )
    return {name: Proof(at, differences, censuses.get(name, at) > at) for name, at, differences in found}


def read_failures(inquiry: Inquiry) -> list[Failure]:
    """The last runs that are not done, the newest first; a run that ended all its resources alike is told once."""
    if not inquiry.has(SYNC_RUNS.name):
        return []
    started = inquiry.micros("started_at")
    found = inquiry.ask(
        f"SELECT {started} AS started, run_id, status, substr(error, 1, {ERROR_CHARACTERS + 1}) AS told, resource"
        f" FROM sync_runs WHERE status <> '{DONE}' AND started_at IS NOT NULL"
        f" ORDER BY started DESC, run_id, told, resource LIMIT {ERRORS_SHOWN * len(RESOURCE_TABLES)}"
    )
    return list(_join_failures(found))[:ERRORS_SHOWN]


def _join_failures(found: Iterable[tuple[int, str, str, str | None, str]]) -> Iterable[Failure]:
    for (at, _, status, error), rows in groupby(found, key=lambda row: row[:4]):
        yield Failure(at, status, tuple(row[4] for row in rows), error or "")
