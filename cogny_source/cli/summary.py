"""What a sync did with each resource: new, changed and deleted rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_record import ResourceRun
from cogny_source.formatting import count, span
from cogny_source.schema import RESOURCE_TABLES

# The most differing rows that are named.
SHOWN_DIFFERENCES = 50
# Between the columns of the summary.
GAP = "  "


class Line(NamedTuple):
    """What a run did with a resource, or with all of them.

    Attributes:
        name: The resource, or `total`.
        new: Rows that the table did not hold before.
        changed: Rows that it held in another version.
        deleted: Rows that were marked deleted.
        rows: Rows that are not marked deleted.
        requests: Requests sent.
        seconds: How long it took.
    """

    name: str
    new: int
    changed: int
    deleted: int
    rows: int
    requests: int
    seconds: float

    def describe(self) -> list[str]:
        """Its columns, as texts."""
        news = [
            f"+{self.new:,} new" if self.new else "",
            f"{self.changed:,} changed" if self.changed else "",
            f"{self.deleted:,} deleted" if self.deleted else "",
        ]
        return [
            self.name,
            ", ".join(filter(None, news)) or "nothing new",
            count(self.rows, "row"),
            count(self.requests, "request"),
            span(self.seconds, blank=" "),
        ]


def align_lines(lines: Sequence[Line], width: int) -> list[str]:
    """The lines, and a total of several, in columns where these fit a width, else with commas."""
    if len(lines) > 1:
        new, changed, deleted, held, requests = (sum(column) for column in list(zip(*lines, strict=True))[1:6])
        longest = max(line.seconds for line in lines)
        lines = [*lines, Line("total", new, changed, deleted, held, requests, longest)]
    rows = [line.describe() for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) > width:
        return [f"{name}: {', '.join(parts)}" for name, *parts in rows]
    return [
        GAP.join([name.ljust(widths[0]), news.ljust(widths[1]), *map(str.rjust, parts, widths[2:])])
        for name, news, *parts in rows
    ]


def sum_up(run: ResourceRun, destination: DestinationSession) -> Line:
    """The summary of a resource."""
    spec = RESOURCE_TABLES[run.resource]
    rows, deleted = destination.count_rows(spec)
    rows_before, deleted_before = run.rows_before or (rows, deleted)
    new, marked = max(0, rows - rows_before), max(0, deleted - deleted_before)
    # What a first load reads twice, at the ends of its windows, is not changed.
    changed = run.rows_loaded[spec.name] - new - marked - run.counts.unchanged_rows if rows_before else 0
    seconds = 0.0 if run.finished_at is None else (run.finished_at - run.started_at).total_seconds()
    return Line(run.resource, new, max(0, changed), marked, rows - deleted, run.meter.requests, seconds)
