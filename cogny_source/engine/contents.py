"""The contents of reports in a sync: what the destination lacks is fetched once all resources are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from cogny_source.extract.content_rows import CONTENTS, KEY, WITHOUT_CONTENT, find_reports, keep_earlier
from cogny_source.extract.content_state import COMPLETED, ContentScope
from cogny_source.extract.contents import ContentReader
from cogny_source.extract.context import Difference, ReadContext
from cogny_source.extract.state import State
from cogny_source.reconcile.content_backlog import Backlog, ContentCounts
from cogny_source.records.chunk import Chunk
from cogny_source.schema import REPORTS

MODE = "contents"
SECONDS_A_MINUTE = 60.0
# Arguments: the context, which contents the dataset is to have, and the reports that the run has recorded.
Check = Callable[[ReadContext, ContentScope, set[str]], tuple[Difference, ...]]


class ContentStore(Protocol):
    """What a sync asks the tables of contents: `ContentTables`, or tables in memory."""

    def find_backlog(self, scope: ContentScope, now: datetime, most: int) -> Backlog:
        """The contents to fetch."""

    def count(self, scope: ContentScope, now: datetime) -> ContentCounts:
        """How many there are."""

    def read_held(self, keys: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of some reports."""


def sync_contents(
    context: ReadContext,
    state: State,
    store: ContentStore,
    most: int,
    prefetch: Callable[[Iterator[Chunk]], Iterator[Chunk]],
    pending: Callable[[str], Chunk],
    *,
    begins: bool,
    check: Check | None = None,
) -> Iterator[Chunk]:
    """Fetch the contents of reports that the destination lacks; to be started once the reports are read.

    The caller must load each chunk before it takes the next.

    Args:
        context: Client and counters; its endpoint is that of the reports.
        state: The state of the contents.
        store: The tables of the contents.
        most: The most contents to fetch.
        prefetch: Reads chunks ahead in a thread.
        pending: The chunk of a resource that is read and not loaded yet.
        begins: Whether it is the first run with its setting, which also counts what is left out.
        check: Checks the contents at the end; None for no check.

    Yields:
        Chunks; the last is marked as such. Those before the first request are empty.
    """
    if _has_completed(pending(REPORTS.name)):
        yield Chunk()
    scope = ContentScope.of(state)
    backlog = store.find_backlog(scope, context.now(), most)
    counts, began = context.counts, context.stopwatch()
    counts.unexplained_rows = backlog.total
    recorded: set[str] = set()
    if begins:
        counts.left_out = store.count(scope, context.now()).left_out
    if backlog.reports:
        yield Chunk()  # so that the destination is not held while contents are fetched
        began = context.stopwatch()
        context.meter.see_total(len(backlog.reports))
        for chunk in prefetch(ContentReader(context, backlog.reports).chunks()):
            failed = find_reports(chunk, WITHOUT_CONTENT)
            # Before the chunk is loaded, which takes its tables.
            recorded.update(chunk.tables[CONTENTS][KEY].to_pylist() if check else ())
            yield keep_earlier(chunk, store.read_held(failed)) if failed else chunk
            # It is loaded now: a run that is killed before tells of no content that it did not load.
            counts.unexplained_rows -= chunk.rows
    minutes = (context.stopwatch() - began) / SECONDS_A_MINUTE
    if context.meter.rows and minutes:
        counts.rows_a_minute = max(1, round(context.meter.rows / minutes))
        state = {**state, "a_minute": counts.rows_a_minute}
    if check is not None:
        counts.differences = check(context, scope, recorded)
    yield Chunk(state=state if counts.rows_a_minute else None, last=True)


def _has_completed(reports: Chunk) -> bool:
    table = reports.tables.get(REPORTS.name)
    return table is not None and bool(pc.any(pc.equal(table["status"], COMPLETED)).as_py())
