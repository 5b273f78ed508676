"""Checks the contents of reports: the tables among each other, and the newest contents with the API's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from cogny_source.api.meter import Meter
from cogny_source.destinations.session import DestinationSession
from cogny_source.extract.content_rows import CONTENTS, FETCHED, KEY, MISSING, ReportVersion, find_reports
from cogny_source.extract.content_state import COMPLETED, ContentScope
from cogny_source.extract.contents import ContentReader
from cogny_source.extract.context import Difference, ReadContext
from cogny_source.extract.lookup import LookupUnusable, fetch_row
from cogny_source.reconcile.content_backlog import ContentTables
from cogny_source.reconcile.digest import EMPTY_LIST, digest_children, digest_rows
from cogny_source.records.chunk import Chunk, select_rows
from cogny_source.schema import EXTRA, REPORT_CONTENTS, REPORTS
from cogny_source.timestamps import parse_instant, to_micros
from cogny_source.windows import UPDATED

# The columns of a content that come from the API.
SERVED = replace(REPORT_CONTENTS, columns=tuple(c for c in REPORT_CONTENTS.columns if c.path or c == EXTRA))
CHILDREN = REPORT_CONTENTS.child_tables
# Table and key to the digest of its rows.
Digests = dict[tuple[str, str], int]


class ContentCheck:
    """Checks the contents that a destination holds.

    Args:
        destination: The destination.
        newest: How many of the newest contents to fetch again and compare.
    """

    def __init__(self, destination: DestinationSession, newest: int) -> None:
        self._destination = destination
        self._newest = newest

    def __call__(self, context: ReadContext, scope: ContentScope, recorded: set[str]) -> tuple[Difference, ...]:
        """Check them after a run.

        Args:
            context: Client and counters; its endpoint is that of the reports.
            scope: Which contents the dataset is to have.
            recorded: The reports that the run has recorded: none of them may be lacking.

        Returns:
            The differences.
        """
        lacking = ContentTables(self._destination).find_backlog(scope, context.now(), max(1, len(recorded)))
        lost = [report.key for report in lacking.reports if report.key in recorded]
        return (
            *(Difference(CONTENTS, key, "missing") for key in lost),
            *self._find_misplaced(),
            *self._compare_newest(context),
        )

    def _find_misplaced(self) -> Iterator[Difference]:
        """Keys that occur twice, and rows without a parent."""
        twice = f"SELECT {KEY} FROM {CONTENTS} GROUP BY {KEY} HAVING count(*) > 1 ORDER BY {KEY}"
        for (key,) in self._destination.query_or_empty(twice):
            yield Difference(CONTENTS, key, "there more than once")
        parents = [(CONTENTS, KEY, REPORTS.name, "p.id", "p.id IS NULL")]
        parents += [(child.name, child.root_key, CONTENTS, f"p.{KEY}", "p.fetched_at IS NULL") for child in CHILDREN]
        for table, key, parent, parent_key, condition in parents:
            rows = self._destination.query_or_empty(
                f"SELECT DISTINCT t.{key} AS report FROM {table} AS t LEFT JOIN {parent} AS p ON {parent_key} = t.{key}"
                f" WHERE {condition} ORDER BY report"
            )
            yield from (Difference(table, key, "without a parent") for (key,) in rows)

    def _compare_newest(self, context: ReadContext) -> Iterator[Difference]:
        """Fetch the newest contents again, and compare every cell that comes from the API."""
        versions = self._list_newest()
        meter = Meter()
        stamps = {report.key: report.updated_at for report in versions}
        for chunk in ContentReader(replace(context, meter=meter), versions).chunks():
            context.counts.compared_rows += len(find_reports(chunk, (FETCHED, MISSING)))
            for key in find_reports(chunk, (MISSING,)):
                yield Difference(CONTENTS, key, "not listed", fresh=_has_moved(context, key, stamps[key]))
            for table, key in self._list_differing(chunk):
                yield Difference(table, key, "differs", fresh=_has_moved(context, key, stamps[key]))
        counted = ("requests", "retries", "throttled", "waited_seconds")
        context.meter.add(**{name: getattr(meter, name) for name in counted})

    def _list_newest(self) -> list[ReportVersion]:
        if not self._newest:
            return []
        micros = self._destination.adapter.unix_micros
        rows = self._destination.query_or_empty(
            f"SELECT c.{KEY} AS report, {micros('r.created_at')} AS created_at, {micros('r.updated_at')} AS updated_at"
            f" FROM {CONTENTS} AS c JOIN {REPORTS.name} AS r ON r.id = c.{KEY}"
            f" WHERE c.status = '{FETCHED}' AND r.status = '{COMPLETED}' AND r.deleted_at IS NULL"
            f" AND coalesce({micros('c.report_updated_at')}, 0) = coalesce({micros('r.updated_at')}, 0)"
            f" ORDER BY updated_at DESC, report LIMIT {self._newest}"
        )
        return list({row[0]: ReportVersion(*row) for row in rows}.values())

    def _list_differing(self, chunk: Chunk) -> Iterator[tuple[str, str]]:
        """Table and key of the rows of a chunk that differ from the destination's; child rows by report."""
        keys = find_reports(chunk, (FETCHED,))
        fetched = select_rows(chunk, REPORT_CONTENTS, keys).tables
        theirs = _digest([fetched[CONTENTS]], {child.name: [fetched[child.name]] for child in CHILDREN}) if keys else {}
        children = {child.name: self._destination.read_children_of(child, keys) for child in CHILDREN}
        ours = _digest(self._destination.read_keys(SERVED, keys), children)
        for place in sorted(theirs.keys() | ours.keys()):
            if theirs.get(place, EMPTY_LIST) != ours.get(place, EMPTY_LIST):
                yield place


def _digest(rows: Iterable[pa.Table], children: Mapping[str, Iterable[pa.Table]]) -> Digests:
    batches = [(CONTENTS, digest_rows(SERVED, table)) for table in rows]
    batches += [(child.name, batch) for child in CHILDREN for batch in digest_children(child, children[child.name])]
    return {
        (table, key): digest
        for table, batch in batches
        for key, digest in zip(batch["key"].to_pylist(), batch["digest"].to_pylist(), strict=True)
    }


def _has_moved(context: ReadContext, key: str, version: int | None) -> bool:
    """Whether a report has another version by now, so that the next sync fetches its content."""
    try:
        row = fetch_row(context, key)
    except LookupUnusable:
        return False
    instant = None if row is None else parse_instant(row.get(UPDATED))
    return row is None or (None if instant is None else to_micros(instant)) != version
