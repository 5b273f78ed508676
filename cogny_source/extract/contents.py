"""The contents of reports, one request each, fetched by several readers and built into chunks."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cogny_source.api.calls import check_id
from cogny_source.errors import (
    AnswerTooLarge,
    AuthError,
    BadRequest,
    CognyError,
    ContractError,
    Forbidden,
    InvalidArgument,
    NotFound,
    RateLimited,
    Stopped,
    TransientError,
)
from cogny_source.extract.content_rows import (
    FAILED,
    FETCHED,
    MISSING,
    TOO_LARGE,
    Attempt,
    ReportVersion,
    finish_chunk,
)
from cogny_source.extract.context import ReadContext
from cogny_source.extract.parallel import count_readers
from cogny_source.extract.pool import Pool
from cogny_source.plain_text import safe_text
from cogny_source.records.chunk import Chunk, ChunkBuilder, count_characters
from cogny_source.schema import REPORT_CONTENTS

logger = logging.getLogger(__name__)

# So many contents are committed at once, fewer of long ones. A kill costs the chunk that is loaded, the one that is
# read ahead, and what is asked for: fewer than a hundred requests.
CONTENTS_A_CHUNK = 45
# After so many failed reports in a row, contents as a whole are taken to fail, though the API answers.
MOST_FAILURES = 10
# Without headers a 429 now and then teaches the limiter; earlier ones come from a limit for contents alone.
FETCHES_A_REFUSAL = 50
# The most characters of contents that readers hold at a time: long contents are read by fewer readers.
CHARACTERS_IN_FLIGHT = 32 * 2**20


@dataclass(frozen=True)
class _Fetch:
    """The result of a request.

    Attributes:
        report: The report.
        at: The time of the answer (UTC).
        row: The content; None if there is none.
        error: Why there is none.
        refusals: How many refusals were known when it began.
    """

    report: ReportVersion
    at: datetime
    row: dict[str, Any] | None
    error: CognyError | None
    refusals: int = 0


class ContentReader:
    """Fetches contents in a given order.

    A report without a content, or whose requests fail while the API answers others, is recorded as such and does not
    hold up the next. Where the API is away, or limits contents further than other requests, the reading ends with a
    warning.

    Args:
        context: Client and counters; its endpoint is that of the reports.
        reports: The reports, the most important first; no key occurs twice.
    """

    def __init__(self, context: ReadContext, reports: Sequence[ReportVersion]) -> None:
        self._context = context
        self._waiting = deque(reports)
        self._ended = False
        self._failures = 0
        self._largest = 0
        self._refusals = 0
        self._since_refusal = 0
        self._told: Counter[str] = Counter()

    def chunks(self) -> Iterator[Chunk]:
        """Fetch the contents.

        Yields:
            Chunks of `CONTENTS_A_CHUNK` contents, fewer of long ones.

        Raises:
            CognyError: If the key is refused or the run is stopped; after a chunk of what was fetched before.
        """
        builder, attempts = ChunkBuilder(REPORT_CONTENTS), list[Attempt]()
        try:
            with self._context.open_pool(self._context.workers, "content") as pool:
                for fetch in self._fetch_all(pool):
                    attempt = self._judge(fetch)
                    if attempt is not None:
                        builder.add([{**(fetch.row or {}), "report_id": fetch.report.key}])
                        attempts.append(attempt)
                    if builder.is_full(CONTENTS_A_CHUNK):
                        yield finish_chunk(builder.build(None), attempts)
                        attempts = []
                    self._context.after_page()
        except CognyError:
            if attempts:
                yield finish_chunk(builder.build(None), attempts)
            raise
        finally:
            if self._told:
                kinds = ", ".join(f"{number:,} {status}" for status, number in sorted(self._told.items()))
                logger.warning("reports without a content: %s; later syncs ask again", kinds)
        if attempts:
            yield finish_chunk(builder.build(None), attempts)

    def _fetch_all(self, pool: Pool) -> Iterator[_Fetch]:
        """Fetch in the given order, the first one alone: its time says how many readers are useful."""
        readers, is_first = 1, True
        running: set[Future[_Fetch]] = set()
        while self._waiting or running:
            while self._waiting and len(running) < self._limit(readers):
                running.add(pool.submit(self._fetch, self._waiting.popleft(), self._refusals))
            began = self._context.stopwatch()
            done = pool.wait_for_any(running)
            if is_first:
                readers = count_readers(self._context, self._context.stopwatch() - began)
            is_first = False
            running -= done
            while done:
                yield done.pop().result()

    def _limit(self, readers: int) -> int:
        """How many requests run at a time: fewer where contents are long."""
        return readers if not self._largest else max(1, min(readers, CHARACTERS_IN_FLIGHT // self._largest))

    def _fetch(self, report: ReportVersion, refusals: int) -> _Fetch:
        """Fetch one content; runs in a reader's thread."""
        endpoint, now = self._context.endpoint, self._context.now
        try:
            path = f"{endpoint.path}/{check_id(report.key, 'the id')}/content"
            answer = self._context.client.get(path, {}, self._context.meter, scope=endpoint.scope, patient=False)
        except CognyError as error:
            return _Fetch(report, now(), None, error, refusals)
        at = answer.server_time or now()
        if answer.data is None:
            return _Fetch(report, at, None, NotFound("the answer is empty", request_id=answer.request_id))
        row = answer.data if isinstance(answer.data, dict) else {"content": answer.data}
        told = row.get("report_id")
        if told is not None and str(told) != report.key:
            mixed = ContractError("the answer is the content of another report", request_id=answer.request_id)
            return _Fetch(report, at, None, mixed)
        return _Fetch(report, at, row, None)

    def _judge(self, fetch: _Fetch) -> Attempt | None:
        """What to record of a result; None if nothing.

        Raises:
            CognyError: The result's error, if it is none of a single report.
        """
        error = fetch.error
        if error is None:
            self._failures, self._since_refusal = 0, self._since_refusal + 1
            self._largest = max(self._largest, count_characters(fetch.row))
            self._context.meter.add(rows=1, pages=1)
            return Attempt(fetch.report, fetch.at, FETCHED)
        if isinstance(error, RateLimited):
            self._bear_refusal(fetch)
            return None
        if isinstance(error, Forbidden):
            self._end(f"{error}; no contents of reports are fetched")
            return None
        status = _find_status(error)
        if status is None:
            raise error
        if status == FAILED and not isinstance(error, InvalidArgument) and not self._is_reports_own(error):
            return None
        logger.info("report %s: %s; a later sync asks again", safe_text(fetch.report.key), error)
        self._told[status] += 1
        told = {"status": error.status, "code": error.code, "message": safe_text(error.message)}
        return Attempt(fetch.report, fetch.at, status, told)

    def _is_reports_own(self, error: CognyError) -> bool:
        """Whether a failure is that of one report, as the API answers another request."""
        if self._ended:
            return False
        if not self._is_there():
            self._end(f"{error}; the API is away, and later syncs fetch the contents of reports")
            return False
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._end(f"the contents of {MOST_FAILURES} reports in a row cannot be fetched; later syncs go on")
        return True

    def _is_there(self) -> bool:
        endpoint = self._context.endpoint
        try:
            self._context.client.get(
                endpoint.path, {"limit": 1}, self._context.meter, scope=endpoint.scope, patient=False
            )
        except (AuthError, Stopped):
            raise
        except CognyError:
            return False
        return True

    def _bear_refusal(self, fetch: _Fetch) -> None:
        """Ask again after a 429 that only teaches the pace; refusals of readers that asked together count as one."""
        if fetch.refusals == self._refusals:
            if self._since_refusal < FETCHES_A_REFUSAL:
                self._end("the API limits contents of reports further than other requests; later syncs go on")
            self._refusals, self._since_refusal = self._refusals + 1, 0
        if not self._ended:
            self._waiting.appendleft(fetch.report)

    def _end(self, why: str) -> None:
        """Fetch no more; what is asked for already is still recorded."""
        if not self._ended:
            logger.warning("%s", why)
        self._ended = True
        self._waiting.clear()


def _find_status(error: CognyError) -> str | None:
    """How a report is recorded whose content was not fetched; None if the error is none of a single report."""
    if isinstance(error, AnswerTooLarge):
        return TOO_LARGE
    if isinstance(error, NotFound | BadRequest):
        return MISSING
    return FAILED if isinstance(error, TransientError | ContractError | InvalidArgument) else None
