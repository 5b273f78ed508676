"""Lists of the API page by page, with guards against lists that repeat or never end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer, find_contradiction
from cogny_source.api.meter import Meter
from cogny_source.api.news import News
from cogny_source.errors import AnswerTooLarge, ContractError, PaginationError
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)

PAGE_ROWS = 100
# Longest count that is read from a text; no table has more rows.
MOST_DIGITS = 18
MORE_OR_NOT = "the API does not say whether the list goes on (has_more)"
# A list may repeat pages while its rows change; this many pages in a row without news are an error.
MAX_STALE_PAGES = 100
# The most rows by which a list may grow while it is read.
GROWTH_ROWS = 10_000
# The smallest page size, where larger pages exceed the size limit.
LEAST_ROWS = 1
# The prefix of the ids in each list; a list never holds those of another.
ID_PREFIXES = {"/tickets": "tkt_", "/reports": "rpt_", "/warehouses": "wh_"}


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        rows: The rows, as JSON objects.
        has_more: Whether another page follows.
        next_cursor: The cursor of that page.
        total_count: The rows that the API counts for the list; None if it does not say.
        server_time: The server's clock at the answer (UTC); None if neither envelope nor header has it.
        request_id: The id of its request.
        unclear: Whether the list has pagination, but the page does not say whether another follows.
        doubtful_time: Whether the server's clock and this machine's differ by more than five minutes.
    """

    rows: list[dict[str, Any]]
    has_more: bool
    next_cursor: str | None
    total_count: int | None
    server_time: datetime | None
    request_id: str | None
    unclear: bool = False
    doubtful_time: bool = False
    _instants: dict[str, list[datetime | None]] = field(default_factory=dict, compare=False, repr=False)

    def instants(self, name: str) -> list[datetime | None]:
        """A timestamp of each row, None if it cannot be parsed; parsed once."""
        if name not in self._instants:
            self._instants[name] = [parse_instant(row.get(name)) for row in self.rows]
        return self._instants[name]

    @property
    def list_rows(self) -> int | None:
        """How many rows the list holds, by its first page; None if unknown."""
        complete = not self.has_more and not self.unclear
        return len(self.rows) if self.total_count is None and complete else self.total_count


class Getter(Protocol):
    """Reads one answer: an `HttpClient`, or a list of answers in a test."""

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """Read one answer; without patience, do not wait after a 429."""


def read_page(answer: Answer, path: str, *, following: bool = False) -> Page:
    """Check an answer's shape.

    Args:
        answer: The answer.
        path: The list's path, for messages.
        following: Whether it is not the first page, so that the list has pagination.

    Raises:
        ContractError: If its data is not a list of objects of that path, or `has_more` is missing.
    """
    rows = [] if _is_empty(answer) else answer.data
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ContractError(
            "the API answered a list request with something else", request_id=answer.request_id, path=path
        )
    _refuse_foreign(rows, answer, path)
    pagination = answer.pagination or {}
    has_more = pagination.get("has_more", False)
    cursor = pagination.get("next_cursor")
    if not isinstance(has_more, bool) or (cursor and "has_more" not in pagination):
        raise ContractError(MORE_OR_NOT, request_id=answer.request_id, path=path)
    return Page(
        rows=rows,
        has_more=has_more,
        next_cursor=cursor if isinstance(cursor, str) and cursor else None,
        total_count=_read_count(pagination.get("total_count")),
        server_time=answer.server_time,
        request_id=answer.request_id,
        doubtful_time=answer.doubtful_time,
        unclear="has_more" not in pagination and (following or answer.pagination is not None),
    )


def _is_empty(answer: Answer) -> bool:
    """Whether `data: null` means an empty list: if the answer says success and its pagination agrees."""
    return answer.data is None and answer.confirmed and find_contradiction(answer, from_the_start=False) is None


def _refuse_foreign(rows: list[dict[str, Any]], answer: Answer, path: str) -> None:
    own = ID_PREFIXES.get(path)
    if own is None:
        return
    for row in rows:
        identity = row.get("id")
        if not isinstance(identity, str) or identity.startswith(own):
            continue
        for name, prefix in ID_PREFIXES.items():
            if identity.startswith(prefix):
                message = f"the API listed a row of {name} here: its id begins with {prefix}"
                raise ContractError(message, request_id=answer.request_id, path=path)


def _read_count(value: object) -> int | None:
    """A count, also from a text or a whole float; None if it is not a count."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:MOST_DIGITS])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def iter_pages(client: Getter, path: str, params: Params, meter: Meter, *, scope: str | None = None) -> Iterator[Page]:
    """Read a list to its end.

    Args:
        client: Sends the requests.
        path: The list's path, such as `/tickets`.
        params: Filters and sort; limit and cursor are added.
        meter: Counts pages and rows.
        scope: The scope that the list needs.

    Yields:
        The pages, in order; at least one.

    Raises:
        PaginationError: On a repeated cursor, on `has_more` without a cursor, and on a list without an end.
    """
    guard = _Guard(path)
    query: dict[str, str | int] = {**params, "limit": PAGE_ROWS}
    while True:
        try:
            answer = client.get(path, query, meter, scope=scope)
        except AnswerTooLarge as error:
            query["limit"] = _ask_for_fewer(error, int(query["limit"]))
            continue
        page = read_page(answer, path, following="cursor" in query)
        meter.add(pages=1, rows=len(page.rows))
        if page.total_count is not None:
            meter.see_total(page.total_count)
        logger.debug("%s: page of %d rows, request id %s", path, len(page.rows), page.request_id)
        guard.check(page)
        if page.unclear and len(page.rows) == query["limit"]:
            # A list without pagination is complete; with an empty one, a full page may be the first of many.
            raise ContractError(MORE_OR_NOT, request_id=page.request_id, path=path)
        yield page
        if not page.has_more:
            return
        assert page.next_cursor is not None
        query["cursor"] = page.next_cursor


def _ask_for_fewer(error: AnswerTooLarge, limit: int) -> int:
    """The page size after a page that was too large; raises the error if there is no smaller one."""
    if limit <= LEAST_ROWS:
        raise error
    fewer = max(LEAST_ROWS, limit // 5)
    logger.warning("%s; reading the list on with %d rows a page", error, fewer)
    return fewer


class _Guard:
    """Detects that a list has no end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cursors: set[int] = set()
        self._news = News()
        self._stale_pages = 0

    def check(self, page: Page) -> None:
        """Raise `PaginationError` if following the page's cursor would never end.

        `total_count` is no measure: it may count one page, or stop at 10,000.
        """
        if not page.has_more:
            return
        if page.next_cursor is None:
            raise self._error("the API says has_more but gives no cursor", page)
        cursor = hash(page.next_cursor)  # the texts of a long list's cursors would take megabytes
        if cursor in self._cursors:
            raise self._error("the API gave the same cursor twice", page)
        self._cursors.add(cursor)
        has_news = self._news.observe(page.rows)
        if has_news is not None:
            self._stale_pages = 0 if has_news else self._stale_pages + 1
        if self._stale_pages >= MAX_STALE_PAGES:
            raise self._error(f"the list has no end: its last {MAX_STALE_PAGES} pages brought nothing new", page)

    def _error(self, message: str, page: Page) -> PaginationError:
        return PaginationError(message, request_id=page.request_id, path=self._path)
