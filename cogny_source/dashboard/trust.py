"""The page's view of a dataset's health: a headline, and a tile for each resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cogny_source.formatting import excerpt, listing, span
from cogny_source.monitoring.health import Finding, Health, Level, ResourceFacts
from cogny_source.monitoring.status import DatasetStatus

REASON_CHARACTERS = 200
WORDS = {Level.UNSYNCED: "not synced", Level.OK: "good", Level.WARN: "with care", Level.ERROR: "not now"}
TITLES = {Level.OK: "Yes", Level.WARN: "With care", Level.ERROR: "Not now"}
# Shapes, for readers who cannot see the colour.
MARKS = {Level.UNSYNCED: "–", Level.OK: "✓", Level.WARN: "!", Level.ERROR: "×"}


@dataclass(frozen=True)
class Tile:
    """A resource, as the page shows it.

    Attributes:
        facts: Its facts.
        level: Its level.
        findings: Its findings.
        age_seconds: The age of its data in seconds; None if it was never complete.
    """

    facts: ResourceFacts
    level: Level
    findings: tuple[Finding, ...]
    age_seconds: float | None

    @property
    def word(self) -> str:
        """The level in a word or two."""
        return WORDS[self.level]


@dataclass(frozen=True)
class Answer:
    """The page's headline.

    Attributes:
        level: The dataset's level; `UNSYNCED` if it is empty.
        title: The headline.
        text: The reasons, and what to do.
    """

    level: Level
    title: str
    text: str


def make_tiles(status: DatasetStatus) -> list[Tile]:
    """A tile for each resource."""
    judged = [(known, status.health.of(known.resource)) for known in status.resources]
    return [Tile(known, health.level, health.findings, known.age_seconds(status.at)) for known, health in judged]


def tell_answer(status: DatasetStatus) -> Answer:
    """The headline for a status."""
    health = status.health
    synced = [known for known in status.resources if known.is_synced]
    if not synced:
        return Answer(Level.UNSYNCED, "There is no data yet", "No run of the sync is on record in this destination.")
    text = _describe_well(synced, status.at) if health.level is Level.OK else _describe_problems(health)
    return Answer(health.level, TITLES[health.level], text)


def _describe_well(synced: Sequence[ResourceFacts], now: datetime) -> str:
    oldest = max(known.age_seconds(now) or 0.0 for known in synced)
    names = listing([known.resource for known in synced])
    return _begin_large(f"{names} are at most {span(oldest)} old, and their last runs are done.")


def _describe_problems(health: Health) -> str:
    """The findings behind the headline, and what to do about them."""
    worst = [found for found in health.problems if found.level is health.level]
    brief = [replace(found, sentence=excerpt(found.sentence, REASON_CHARACTERS)) for found in worst]
    return " ".join(_begin_large(f"{found}.") for found in brief)


def _begin_large(text: str) -> str:
    return text[:1].upper() + text[1:]
