"""The report as a reader's program sees it, and the figures it must tell, worked out from the sandbox's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import groupby, pairwise
from math import ceil
from typing import Any

from tests.support.truth import instant

VOID = {"meta", "link", "br", "img"}
# SVG's own, which close themselves.
SHAPES = {"rect", "line", "circle"}
CLOSED = ("completed", "dismissed")
Rows = Sequence[dict[str, Any]]
Table = list[list[str]]


class Page(HTMLParser):
    """A page, read strictly: each element must be closed where it belongs.

    Attributes:
        tables: Figure to the cells of its table, without headings.
        headings: Figure to the headings of its table.
        readings: Figure to the line that says what it tells.
        pictures: The figures that have a picture.
        elements: How often each element is there.
        attributes: Each attribute with its values.
        texts: Class to the texts of the elements that have it.
        links: The targets of its links.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: dict[str, Table] = {}
        self.headings: dict[str, list[str]] = {}
        self.readings: dict[str, str] = {}
        self.pictures: set[str] = set()
        self.elements: Counter[str] = Counter()
        self.attributes: dict[str, set[str]] = {}
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._figure = ""
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        given = dict(attrs)
        assert len(given) == len(attrs), attrs
        self.elements[tag] += 1
        for name, value in given.items():
            self.attributes.setdefault(name, set()).add(value or "")
        if tag in ("figure", "section") or given.get("id"):
            self._figure = given.get("id") or ""
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag == "svg":
            self.pictures.add(self._figure)
        if tag == "tbody":
            self.tables[self._figure] = []
        if tag == "tr" and "tbody" in [name for name, _ in self._open]:
            self.tables[self._figure].append([])
        for look in (given.get("class") or "").split():
            self.texts.setdefault(look, []).append("")
        if tag not in VOID:
            self._open.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a shape."""
        assert tag in SHAPES
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Give a text to the elements around it."""
        tags = [name for name, _ in self._open]
        for _, given in self._open:
            for look in (given.get("class") or "").split():
                self.texts[look][-1] += data
                if look == "reading" and "figure" in tags:
                    self.readings[self._figure] = self.readings.get(self._figure, "") + data
        if {"td", "th"} & set(tags[-2:]) and tags[-1] != "tr":
            if "tbody" in tags:
                self.tables[self._figure][-1].append(data)
            else:
                self.headings.setdefault(self._figure, []).append(data)


@dataclass
class Seen:
    """The versions of the tickets that the syncs have seen.

    Attributes:
        versions: Ticket to its statuses, by the instant each version began.
    """

    versions: dict[str, dict[datetime, str]] = field(default_factory=dict)

    def look(self, tickets: Rows) -> None:
        """Note what a sync sees."""
        for row in tickets:
            began = instant(row["updated_at"])
            assert began is not None
            self.versions.setdefault(row["id"], {})[began] = row["status"]

    def stays(self) -> dict[str, list[float]]:
        """How many seconds the stays lasted that have ended, by status."""
        found: dict[str, list[float]] = {}
        for versions in self.versions.values():
            runs = [(status, next(iter(run))) for status, run in groupby(sorted(versions), key=versions.__getitem__)]
            for (status, began), (_, ended) in pairwise(runs):
                found.setdefault(status, []).append((ended - began).total_seconds())
        return found

    def closed_at(self, key: str) -> datetime | None:
        """When a ticket that is closed was closed; None if no sync saw it open before."""
        closed, was_open = None, False
        for began, status in sorted(self.versions[key].items()):
            closed = (closed or began) if status in CLOSED else None
            was_open = was_open or status not in CLOSED
        return closed if was_open else None


def tell_weeks(
    tickets: Rows, closed_at: Callable[[str], datetime | None], now: datetime, since: datetime | None = None
) -> Table:
    """The table of tickets opened and closed; closings are known from the week of `since` on, or in each."""
    opened = Counter(_monday(instant(row["created_at"])) for row in tickets)
    moments = [closed_at(row["id"]) for row in tickets if row["status"] in CLOSED]
    closed = Counter(_monday(moment) for moment in moments if moment is not None)
    mondays = [_monday(now) - timedelta(weeks=back) for back in reversed(range(26))]
    first = mondays[0] if since is None else _monday(since)
    return [
        [f"{day.day} {day:%b %Y}", f"{opened[day]:,}", f"{closed[day]:,}" if day >= first else "–"] for day in mondays
    ]


def tell_groups(tickets: Rows, warehouses: Rows) -> Table:
    """The table of open tickets by category, assignee and warehouse: the three largest, and all others."""
    names = {row["id"]: row["name"] for row in warehouses}
    table = []
    for kind, read in (
        ("category", lambda row: row["category"]),
        ("assignee", lambda row: row["assignee"]),
        ("warehouse", lambda row: names.get(row["warehouse_id"], row["warehouse_id"])),
    ):
        all_of = Counter(read(row) or "not given" for row in open_tickets(tickets))
        urgent = Counter(
            read(row) or "not given" for row in open_tickets(tickets) if row["priority"] in ("critical", "high")
        )
        ordered = sorted(all_of, key=lambda name: (-all_of[name], name))
        table += [[f"{kind}: {name}", str(all_of[name]), str(urgent[name])] for name in ordered[:3]]
        if rest := ordered[3:]:
            table.append([f"{kind}: all others", str(sum(all_of[n] for n in rest)), str(sum(urgent[n] for n in rest))])
    return table


def _monday(moment: datetime | None) -> datetime:
    assert moment is not None
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def tell_ages(tickets: Rows, now: datetime) -> Table:
    """The table of open tickets by priority and age."""
    table = []
    for priority in ("critical", "high", "medium", "low"):
        created = [instant(row["created_at"]) for row in open_tickets(tickets) if row["priority"] == priority]
        ages = [now - moment for moment in created if moment is not None]
        edges = [timedelta(days=days) for days in (0, 7, 30, 90, 180, 10_000)]
        counts = [sum(low <= age < high for age in ages) for low, high in pairwise(edges)]
        table.append([priority, *map(str, counts)])
    return table


def open_tickets(tickets: Rows) -> list[dict[str, Any]]:
    """Those that are neither completed nor dismissed."""
    return [row for row in tickets if row["status"] not in CLOSED]


def tell_impacts(tickets: Rows) -> Table:
    """The table of projected increases by effort."""
    table = []
    for effort, name in (("low", "low"), ("medium", "medium"), ("high", "high"), (None, "not given")):
        rows = [row for row in open_tickets(tickets) if row["effort"] == effort and row["estimated_impact"]]
        values = [row["estimated_impact"]["increase_percentage"] for row in rows]
        table.append([name, str(len(values)), *(f"{value:.1f}\u00a0%" for value in rank(values))])
    return table


def tell_stays(stays: Mapping[str, list[float]], tell: Callable[[float], str]) -> Table:
    """The table of stays in a status."""
    kinds = [kind for kind in ("open", "in_progress", "completed", "dismissed") if kind in stays]
    return [[kind.replace("_", " "), str(len(stays[kind])), *map(tell, rank(stays[kind]))] for kind in kinds]


def rank(values: Iterable[float]) -> list[float]:
    """The values that 10, 25, 50, 75 and 90 per cent are no greater than."""
    ordered = sorted(values)
    return [ordered[ceil(share * len(ordered) / 100) - 1] for share in (10, 25, 50, 75, 90)]


def tell_outcomes(reports: Rows) -> Table:
    """The table of reports by status."""
    counts = Counter(row["status"] for row in reports)
    order = ("completed", "failed", "cancelled", "processing", "queued")
    return [[status, str(counts[status])] for status in order if counts[status]]


def tell_lasted(reports: Rows) -> Table:
    """The table of completed reports by the minutes they took."""
    ended = [row for row in reports if row["status"] == "completed"]
    spans = [
        (instant(row["completed_at"]) or datetime.max.replace(tzinfo=UTC))
        - (instant(row["created_at"]) or datetime.max.replace(tzinfo=UTC))
        for row in ended
    ]
    minutes = [span / timedelta(minutes=1) for span in spans]
    edges = (0, 1, 5, 15, 30, 60, 360, 10**9)
    names = ["< 1", "1–4", "5–14", "15–29", "30–59", "60–359", "≥ 360"]
    return [
        [name, str(sum(low <= value < high for value in minutes))]
        for name, low, high in zip(names, edges, edges[1:], strict=False)
    ]


def tell_advice(contents: Rows) -> Table:
    """The table of recommendations by priority and effort."""
    advice = [(row["priority"], row["effort"]) for content in contents for row in content["recommendations"]]
    counts = Counter(advice)
    priorities = [name for name in ("critical", "high", "medium", "low") if name in {kind for kind, _ in advice}]
    return [[name, *(str(counts[name, effort]) for effort in ("low", "medium", "high"))] for name in priorities]


def tell_confidences(contents: Rows) -> Table:
    """The table of insights by confidence."""
    given = [row["confidence"] for row in _list_insights(contents)]
    edges = (0, 0.2, 0.4, 0.6, 0.8, 10)
    names = ["< 0.2", "0.2–0.4", "0.4–0.6", "0.6–0.8", "≥ 0.8"]
    return [
        [name, str(sum(low <= value < high for value in given))]
        for name, low, high in zip(names, edges, edges[1:], strict=False)
    ]


def tell_newest(contents: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> tuple[list[str], list[str]]:
    """What the six reports that were completed last were asked, and their insights of the highest confidence."""
    ordered = sorted(contents, key=lambda one: one[0]["id"])
    ordered.sort(key=lambda one: instant(one[0]["completed_at"]) or datetime.min.replace(tzinfo=UTC), reverse=True)
    asked, told = [], []
    for report, content in ordered[:6]:
        insights = sorted(_list_insights([content]), key=lambda row: -row["confidence"])
        asked.append(_cut(report["prompt"]) or "(no prompt)")
        told.append(_cut(insights[0]["content"]) if insights else "(no insight)")
    return asked, told


def _list_insights(contents: Rows) -> list[dict[str, Any]]:
    return [row for content in contents for section in content["sections"] for row in section["insights"]]


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 140 else f"{line[:139].rstrip()}…"
