"""Whether the data can be trusted now: a verdict on each resource and on all of them, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from itertools import pairwise
from statistics import median_low

from cogny_source.dashboard.runs import DONE, Resource, Run
from cogny_source.destinations.portable_sql import SECOND, instant
from cogny_source.formatting import DAY, HOUR, count, listing, span
from cogny_source.monitoring.health import describe_comparison, describe_missing_count
from cogny_source.reconcile.settlement import describe_difference

# Where one run is on record, nothing tells how often there should be one.
LATE_SECONDS = DAY
LATE_AT_LEAST_SECONDS = HOUR
# In multiples of the usual pause between two runs.
LATE_PAUSES = 2
STALE_TIMES = 3


class Level(IntEnum):
    """How far data can be trusted; the worst of several is the greatest."""

    UNKNOWN = 0
    GOOD = 1
    CARE = 2
    BAD = 3


WORDS = {Level.UNKNOWN: "not synced", Level.GOOD: "good", Level.CARE: "with care", Level.BAD: "not now"}
# Told by their shape, for those who do not see the colour.
MARKS = {Level.UNKNOWN: "–", Level.GOOD: "✓", Level.CARE: "!", Level.BAD: "×"}


@dataclass(frozen=True)
class Finding:
    """One thing that speaks for or against the data, as a sentence without its point."""

    level: Level
    text: str


@dataclass(frozen=True)
class Verdict:
    """A resource, judged.

    Attributes:
        resource: The resource.
        age_seconds: How old its data is; None where no run is done.
        findings: What was looked at.
    """

    resource: Resource
    age_seconds: float | None
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return max((finding.level for finding in self.findings), default=Level.UNKNOWN)

    @property
    def word(self) -> str:
        """The level in a word or two."""
        return WORDS[self.level]

    @property
    def unexplained(self) -> int | None:
        """What the last comparison of counts left unexplained; None where there was none."""
        return last_unexplained(self.resource.runs)

    @property
    def last(self) -> Run | None:
        """The last run."""
        return self.resource.runs[-1] if self.resource.runs else None


@dataclass(frozen=True)
class Answer:
    """The answer to the page's first question.

    Attributes:
        level: The worst of all resources that were ever synced.
        title: The answer in a few words.
        text: What it rests on.
    """

    level: Level
    title: str
    text: str


def judge(resource: Resource, now: int) -> Verdict:
    """Judge a resource.

    Args:
        resource: The resource.
        now: The present, in microseconds since 1970.
    """
    if not resource.runs:
        return Verdict(resource, None, (Finding(Level.UNKNOWN, "no run is on record"),))
    age = _find_age(resource, now)
    findings = [_judge_last(resource.runs[-1]), _judge_age(age, resource.runs), _judge_counts(resource.runs)]
    findings.append(_judge_proof(resource, now))
    if resource.compared_since is not None:
        told = describe_comparison(instant(resource.compared_since), datetime.fromtimestamp(now / SECOND, UTC))
        findings.append(Finding(Level.GOOD, told))
    return Verdict(resource, age, tuple(finding for finding in findings if finding is not None))


def _find_age(resource: Resource, now: int) -> float | None:
    """How old the data is: the age of the watermark, or of the last run where lists are read whole."""
    marks = [run.watermark for run in resource.runs if run.watermark is not None]
    done = [run.started_at for run in resource.runs if run.brings_all]
    newest = marks[-1:] or done[-1:]
    return max(0.0, (now - newest[0]) / SECOND) if newest else None


def _judge_last(run: Run) -> Finding:
    if run.status == DONE:
        took = "" if run.seconds is None else f" in {span(run.seconds)}"
        return Finding(Level.GOOD, f"the last run is done{took}")
    if run.status == "stopped":
        return Finding(Level.CARE, "the last run was stopped before its end")
    verb = "was killed" if run.status == "killed" else "failed"
    return Finding(Level.BAD, f"the last run {verb}")


def _judge_age(age: float | None, runs: Sequence[Run]) -> Finding:
    if age is None:
        return Finding(Level.BAD, "no run has brought everything yet")
    late = late_after(runs)
    if age <= late:
        return Finding(Level.GOOD, f"late only after {span(late)}")
    told = f"{span(age)} old, where {span(late)} would be late"
    return Finding(Level.CARE if age <= STALE_TIMES * late else Level.BAD, told)


def late_after(runs: Sequence[Run]) -> float:
    """From which age on data is late: after twice the usual pause between two runs that bring everything."""
    done = [run.started_at for run in runs if run.brings_all]
    pauses = [(later - earlier) / SECOND for earlier, later in pairwise(done)]
    return max(LATE_AT_LEAST_SECONDS, LATE_PAUSES * median_low(pauses)) if pauses else LATE_SECONDS


def _judge_counts(runs: Sequence[Run]) -> Finding | None:
    """What the last comparison of the API's count with the table's said."""
    missing = describe_missing_count([run.counts for run in runs])
    if missing is not None:
        return Finding(Level.CARE, missing)
    unexplained = last_unexplained(runs)
    if unexplained is None:
        return Finding(Level.GOOD, "the API gave no count to compare with") if runs[-1].status == DONE else None
    if unexplained:
        return Finding(Level.CARE, describe_difference(unexplained))
    return Finding(Level.GOOD, "as many rows as the API counts")


def last_unexplained(runs: Sequence[Run]) -> int | None:
    """By how many rows the API counted more than the destination held, when last compared; None if never."""
    return next((run.unexplained_rows for run in reversed(runs) if run.unexplained_rows is not None), None)


def _judge_proof(resource: Resource, now: int) -> Finding | None:
    """What the last verification said."""
    proof = resource.proof
    if proof is None:
        return None
    when = f"{span(max(0.0, (now - proof.at) / SECOND))} ago"
    if not proof.differences:
        return Finding(Level.GOOD, f"verified row for row {when}")
    told = f"{count(proof.differences, 'row')} differed when verified {when}"
    return Finding(Level.CARE, f"{told}; a census ran since") if proof.mended else Finding(Level.BAD, told)


def answer(verdicts: Sequence[Verdict]) -> Answer:
    """Sum the verdicts up."""
    known = [verdict for verdict in verdicts if verdict.level is not Level.UNKNOWN]
    if not known:
        return Answer(Level.UNKNOWN, "There is no data yet", "No run of the sync is on record in this destination.")
    level = max(verdict.level for verdict in known)
    names = listing([verdict.resource.name for verdict in known])
    if level is Level.GOOD:
        oldest = max(verdict.age_seconds or 0.0 for verdict in known)
        return Answer(
            level, "Yes", f"{_begin_large(names)} are at most {span(oldest)} old, and their last runs are done."
        )
    title = "With care" if level is Level.CARE else "Not now"
    reasons = [
        f"{verdict.resource.name}: {finding.text}"
        for verdict in known
        for finding in verdict.findings
        if finding.level is level
    ]
    return Answer(level, title, _begin_large(f"{'; '.join(reasons)}."))


def _begin_large(text: str) -> str:
    return text[:1].upper() + text[1:]
