"""The health of a dataset: one pure function for `cogny status`, its exit code, the page and alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from itertools import pairwise
from statistics import median_low

from cogny_source.formatting import DAY, HOUR, count, span
from cogny_source.monitoring.run_history import DONE, KILLED, RESET, STOPPED, Run, RunHistory
from cogny_source.reconcile.settlement import describe_difference

SYNC_AGAIN = "run cogny sync"
TRY_AGAIN = "cogny check looks for the cause, cogny sync tries again"
TAKE_CENSUS = "run cogny census"
ENDED_AS = {STOPPED: "was stopped", KILLED: "was killed"}


class Level(IntEnum):
    """The level of a finding; the worst is the greatest.

    Attributes:
        UNSYNCED: The dataset is not synced for the resource.
        OK: The data can be trusted.
        WARN: The data can be trusted with care: look at it by day.
        ERROR: The data cannot be trusted now: somebody must act.
    """

    UNSYNCED = 0
    OK = 1
    WARN = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """Its name in JSON."""
        return self.name.lower()


class Kind(StrEnum):
    """The kind of a finding; its names appear in JSON and are stable."""

    NEVER_SYNCED = "never_synced"
    NOT_RECORDED = "not_recorded"
    NOT_READ = "not_read"
    RUN_DONE = "run_done"
    RUN_FAILED = "run_failed"
    RUN_STOPPED = "run_stopped"
    RUN_KILLED = "run_killed"
    RESET = "reset"
    FRESH = "fresh"
    LATE = "late"
    STALE = "stale"
    TOO_OLD = "too_old"
    NEVER_COMPLETE = "never_complete"
    FIRST_LOAD_RUNNING = "first_load_running"
    WINDOWS_LEFT = "windows_left"
    SPANS_UNPROVEN = "spans_unproven"
    COUNTS_AGREE = "counts_agree"
    COUNTS_DIFFER = "counts_differ"
    NOT_COUNTED = "not_counted"
    NO_COUNT = "no_count"
    DELETIONS_REFUSED = "deletions_refused"
    VERIFIED = "verified"
    MENDED_SINCE = "mended_since"
    ROWS_DIFFER = "rows_differ"
    COMPARED = "compared"


@dataclass(frozen=True)
class Thresholds:
    """The ages at which data is late.

    Attributes:
        max_age_seconds: The age that the operator allows: older data is an error, younger data is never late. None to
            judge by the usual pause between two runs.
        late_pauses: Data older than this many usual pauses is late.
        late_at_least_seconds: Younger data is never late.
        late_seconds: The age at which data is late if there is only one run, and so no usual pause.
        stale_times: Data this many times as old as late data is an error.
    """

    max_age_seconds: float | None = None
    late_pauses: float = 2.0
    late_at_least_seconds: float = HOUR
    late_seconds: float = DAY
    stale_times: float = 3.0


@dataclass(frozen=True)
class ResourceFacts:
    """The facts of a resource.

    Attributes:
        resource: Its name.
        history: Its runs.
        rows: Rows of its table that are not marked deleted; None without a table.
        deleted_rows: Rows that are marked deleted.
        updated_after: The watermark (UTC): all earlier changes are loaded. For a full-table list, the beginning of its
            last complete run.
        backfill_windows: Windows of the first load that are left; 0 when it is complete.
        unproven_spans: Spans read by an interrupted run in which rows may be missing.
        refuses_deletions: Whether the last census refused to mark too many missing rows.
        compared_since: The oldest comparison of any row with the API (UTC).
    """

    resource: str
    history: RunHistory = field(default_factory=RunHistory)
    rows: int | None = None
    deleted_rows: int = 0
    updated_after: datetime | None = None
    backfill_windows: int = 0
    unproven_spans: int = 0
    refuses_deletions: bool = False
    compared_since: datetime | None = None

    @property
    def is_synced(self) -> bool:
        """Whether the dataset is synced for it."""
        return bool(self.history.runs or self.rows or self.deleted_rows or self.updated_after)

    def age_seconds(self, now: datetime) -> float | None:
        """The age of its data in seconds; None if it was never complete."""
        complete = self.history.last_complete
        since = self.updated_after
        if since is None and complete is not None:
            since = complete.started_at  # its rows stay although a reset cleared the watermark
        return None if since is None else max(0.0, (now - since).total_seconds())


@dataclass(frozen=True)
class Finding:
    """One finding about the data, good or bad.

    Attributes:
        kind: Its kind.
        level: Its level.
        resource: The resource; None for the dataset.
        sentence: The finding, without capital letter and full stop.
        remedy: What to do about it; None if nothing.
    """

    kind: Kind
    level: Level
    resource: str | None
    sentence: str
    remedy: str | None = None

    @property
    def advice(self) -> str:
        """The sentence and the remedy."""
        return self.sentence if self.remedy is None else f"{self.sentence}; {self.remedy}"

    def __str__(self) -> str:
        """Resource, sentence and remedy."""
        return self.advice if self.resource is None else f"{self.resource}: {self.advice}"


@dataclass(frozen=True)
class Health:
    """The health of a dataset.

    Attributes:
        findings: Its findings, by resource.
    """

    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst level of its findings."""
        return max((finding.level for finding in self.findings), default=Level.UNSYNCED)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings above `OK`, worst first."""
        return tuple(sorted((f for f in self.findings if f.level > Level.OK), key=lambda f: -f.level))

    def of(self, resource: str) -> Health:
        """The health of one resource."""
        return Health(tuple(finding for finding in self.findings if finding.resource == resource))

    def fails(self, at: Level = Level.ERROR) -> bool:
        """Whether the level is at least the given one."""
        return self.level >= at


def judge(
    facts: Sequence[ResourceFacts],
    now: datetime,
    thresholds: Thresholds | None = None,
    *,
    running: bool = False,
    expected: Collection[str] = (),
) -> Health:
    """Judge a dataset by the resources that it is synced for.

    Args:
        facts: The facts of its resources.
        now: The present, aware.
        thresholds: The ages at which data is late.
        running: Whether a run is active.
        expected: Resources that must be synced; if empty, at least one must be.
    """
    if not expected and not any(known.is_synced for known in facts):
        return Health((Finding(Kind.NEVER_SYNCED, Level.ERROR, None, "it was never synced", SYNC_AGAIN),))
    findings: list[Finding] = []
    for known in facts:
        if known.is_synced:
            findings += _judge_resource(known, now, thresholds or Thresholds(), running)
        elif known.resource in expected:
            findings.append(Finding(Kind.NEVER_SYNCED, Level.ERROR, known.resource, "it was never synced", SYNC_AGAIN))
    return Health(tuple(findings))


def _judge_resource(known: ResourceFacts, now: datetime, thresholds: Thresholds, running: bool) -> Iterator[Finding]:
    name = known.resource
    if not known.history.runs:
        yield Finding(Kind.NOT_RECORDED, Level.ERROR, name, "it holds rows, and no run is on record", SYNC_AGAIN)
        return
    yield from _judge_last(known)
    yield from _judge_age(known, now, thresholds, running)
    yield from _judge_left(known)
    yield from _judge_counts(known)
    yield from _judge_verification(known, now)
    if known.compared_since is not None:
        yield Finding(Kind.COMPARED, Level.OK, name, describe_comparison(known.compared_since, now))


def _judge_last(known: ResourceFacts) -> Iterator[Finding]:
    """The result of the last ended run."""
    name, run = known.resource, known.history.last_ended
    if run is None:
        return
    if run.mode == RESET:
        yield Finding(Kind.RESET, Level.ERROR, name, "it was reset, and not synced since", SYNC_AGAIN)
    elif run.status == DONE:
        took = "" if run.seconds is None else f" in {span(run.seconds, blank=' ')}"
        yield Finding(Kind.RUN_DONE, Level.OK, name, f"the last run is done{took}")
    else:
        kind = {STOPPED: Kind.RUN_STOPPED, KILLED: Kind.RUN_KILLED}.get(run.status, Kind.RUN_FAILED)
        why = f": {run.error}" if run.error else ""
        told = f"the last run {ENDED_AS.get(run.status, 'failed')}{why}"
        yield Finding(kind, Level.ERROR, name, told, TRY_AGAIN if kind is Kind.RUN_FAILED else SYNC_AGAIN)


def _judge_age(known: ResourceFacts, now: datetime, thresholds: Thresholds, running: bool) -> Iterator[Finding]:
    name, age, allowed = known.resource, known.age_seconds(now), thresholds.max_age_seconds
    if age is None:
        is_first = running and allowed is None
        kind, level = (Kind.FIRST_LOAD_RUNNING, Level.WARN) if is_first else (Kind.NEVER_COMPLETE, Level.ERROR)
        told = "its first load goes on" if is_first else "no run has brought everything yet"
        yield Finding(kind, level, name, told, None if is_first else SYNC_AGAIN)
        return
    late = late_after(known.history.recent, thresholds) if allowed is None else allowed
    limit, old = span(late, blank=" "), span(age, blank=" ")
    if age <= late:
        yield Finding(Kind.FRESH, Level.OK, name, f"{old} old, and late only after {limit}")
    elif allowed is not None:
        yield Finding(Kind.TOO_OLD, Level.ERROR, name, f"{old} old, where {limit} are allowed", SYNC_AGAIN)
    else:
        stale = age > thresholds.stale_times * late
        kind, level = (Kind.STALE, Level.ERROR) if stale else (Kind.LATE, Level.WARN)
        yield Finding(kind, level, name, f"{old} old, where {limit} would be late", SYNC_AGAIN)


def late_after(runs: Sequence[Run], thresholds: Thresholds) -> float:
    """The age in seconds at which data is late, by the usual pause between complete runs."""
    began = [run.started_at for run in runs if run.brings_all]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]
    if not pauses:
        return thresholds.late_seconds
    return max(thresholds.late_at_least_seconds, thresholds.late_pauses * median_low(pauses))


def _judge_left(known: ResourceFacts) -> Iterator[Finding]:
    """The rest of a first load, and unproven spans; if no load was ever complete, the age reports that."""
    name = known.resource
    if known.backfill_windows and known.history.last_complete is not None:
        told = f"{count(known.backfill_windows, 'window')} of the first load left to read"
        yield Finding(Kind.WINDOWS_LEFT, Level.WARN, name, told, SYNC_AGAIN)
    if known.unproven_spans:
        spans = count(known.unproven_spans, "span")
        told = f"{spans} that an interrupted run has read may lack rows until read again"
        yield Finding(Kind.SPANS_UNPROVEN, Level.WARN, name, told, SYNC_AGAIN)


def _judge_counts(known: ResourceFacts) -> Iterator[Finding]:
    """The result of the last comparison of counts."""
    name, history = known.resource, known.history
    unexplained = history.unexplained_rows
    if known.refuses_deletions and unexplained is not None and unexplained < 0:
        told = f"{describe_difference(unexplained)}, too many to be marked deleted unasked"
        remedy = "look at the key, its account and base_url; if they are meant to be gone, cogny census"
        yield Finding(Kind.DELETIONS_REFUSED, Level.ERROR, name, told, f"{remedy} --accept-deletions")
    elif lacks_count(history):
        told = "the API's rows were not counted, so that deletions may be unmarked"
        yield Finding(Kind.NOT_COUNTED, Level.WARN, name, told, TAKE_CENSUS)
    elif unexplained:
        yield Finding(Kind.COUNTS_DIFFER, Level.WARN, name, describe_difference(unexplained), TAKE_CENSUS)
    elif unexplained == 0:
        yield Finding(Kind.COUNTS_AGREE, Level.OK, name, "as many rows as the API counts")
    elif history.last_complete is not None:
        yield Finding(Kind.NO_COUNT, Level.OK, name, "the API gave no count to compare with")


def lacks_count(history: RunHistory) -> bool:
    """Whether the last completed run could neither count the API's rows nor take a census."""
    last = history.last_complete
    if last is None:
        return False
    return last.unexplained_rows is None and last.deleted_rows is None and last.live_rows is not None


def _judge_verification(known: ResourceFacts, now: datetime) -> Iterator[Finding]:
    """The result of the last verification."""
    name, run, census = known.resource, known.history.last_verified, known.history.last_census
    if run is None:
        return
    when = f"{span(max(0.0, (now - run.started_at).total_seconds()), blank=' ')} ago"
    if not run.differences:
        yield Finding(Kind.VERIFIED, Level.OK, name, f"verified row for row {when}")
        return
    told = f"{count(run.differences, 'row')} differed when verified {when}"
    if census is not None and census.started_at > run.started_at:
        yield Finding(Kind.MENDED_SINCE, Level.WARN, name, f"{told}; a census ran since", "run cogny verify")
    else:
        yield Finding(Kind.ROWS_DIFFER, Level.ERROR, name, told, TAKE_CENSUS)


def describe_comparison(compared_since: datetime | None, now: datetime) -> str:
    """The progress of the scrub, in words.

    Args:
        compared_since: The oldest comparison of any row; None if a row may never have been compared.
        now: The present.
    """
    if compared_since is None:
        return "not every row was compared with the API yet"
    days = max(0.0, (now - compared_since).total_seconds()) / DAY
    within = "day" if days <= 1 else f"{days:.1f} days"
    return f"every row was compared with the API within the last {within}"
