"""A list of the API, page by page, with guards against lists that repeat or never end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cogny_source.api.envelope import Answer, find_contradiction
from cogny_source.api.http_client import Params
from cogny_source.api.meter import Meter
from cogny_source.api.news import News
from cogny_source.errors import AnswerTooLarge, ContractError, PaginationError
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)

PAGE_ROWS = 100
# Of a count that comes as a text; no table has more rows.
MOST_DIGITS = 18
MORE_OR_NOT = "the API does not say whether the list goes on (has_more)"
# A list may repeat pages when the same rows change again; this many in a row bring nothing new.
MAX_STALE_PAGES = 100
# So many more rows than a listing set out to read may come after it began.
GROWTH_ROWS = 10_000
# The fewest that are asked for where a page of more is too large.
LEAST_ROWS = 1
# How the ids of each list begin; a list never holds those of another.
ID_PREFIXES = {"/tickets": "tkt_", "/reports": "rpt_", "/warehouses": "wh_"}


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        rows: The rows, as JSON objects.
        has_more: Whether another page follows.
        next_cursor: The cursor of that page.
        total_count: How many rows the API counts for the list; None where it does not say.
        server_time: The server's clock when it answered (UTC); None where neither envelope nor header tells.
        request_id: The id of the request that brought it.
        doubtful_time: Whether this machine's clock does not bear the server's out.
        unclear: Whether it belongs to a list with pagination and does not say whether another page follows.
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
        """A timestamp of each row, None where it is not readable; read once."""
        if name not in self._instants:
            self._instants[name] = [parse_instant(row.get(name)) for row in self.rows]
        return self._instants[name]

    @property
    def list_rows(self) -> int | None:
        """How many rows the list holds, as far as its first page tells."""
        complete = not self.has_more and not self.unclear
        return len(self.rows) if self.total_count is None and complete else self.total_count


class Getter(Protocol):
    """What reads one answer: `Client`, or a list of answers in a test."""

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None) -> Answer:
        """Read one answer."""


def read_page(answer: Answer, path: str, *, following: bool = False) -> Page:
    """Check an answer's shape.

    Args:
        answer: The answer.
        path: The list's path, for messages.
        following: Whether a page came before, so that the list has pagination.

    Raises:
        ContractError: If its data is no list of objects of that path, or it does not say whether more follows.
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
    """Whether null stands for an empty list: in an answer that says success, and whose pagination does not object."""
    return answer.data is None and answer.confirmed and find_contradiction(answer, from_the_start=False) is None


def _refuse_foreign(rows: list[dict[str, Any]], answer: Answer, path: str) -> None:
    foreign = {prefix: name for name, prefix in ID_PREFIXES.items() if path in ID_PREFIXES and name != path}
    for row in rows:
        identity = row.get("id")
        if foreign and isinstance(identity, str) and identity.startswith(tuple(foreign)):
            prefix = identity.partition("_")[0] + "_"
            message = f"the API listed a row of {foreign[prefix]} here: its id begins with {prefix}"
            raise ContractError(message, request_id=answer.request_id, path=path)


def _read_count(value: object) -> int | None:
    """A count, also where it comes as a text or with a fraction of zero; None where it is none."""
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
        The pages, in order; one at least.

    Raises:
        PaginationError: On a repeated cursor, on `has_more` without a cursor, and on a list that grows without end.
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
            # Without any pagination a list is complete; with one that is empty, a full page may be the first of many.
            raise ContractError(MORE_OR_NOT, request_id=page.request_id, path=path)
        yield page
        if not page.has_more:
            return
        assert page.next_cursor is not None
        query["cursor"] = page.next_cursor


def _ask_for_fewer(error: AnswerTooLarge, limit: int) -> int:
    """The limit to ask with after a page that was too large; raises the error where there is no smaller one."""
    if limit <= LEAST_ROWS:
        raise error
    fewer = max(LEAST_ROWS, limit // 5)
    logger.warning("%s; the list is read on by %d rows a page", error, fewer)
    return fewer


class _Guard:
    """What was seen of one list so far."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cursors: set[int] = set()
        self._news = News()
        self._stale_pages = 0

    def check(self, page: Page) -> None:
        """Raise `PaginationError` where following the page's cursor would not end.

        What the API counts is no measure: it may count a page, or no further than 10,000.
        """
        if not page.has_more:
            return
        if page.next_cursor is None:
            raise self._error("the API says has_more but gives no cursor", page)
        cursor = hash(page.next_cursor)  # of a long list they would take megabytes
        if cursor in self._cursors:
            raise self._error("the API gave the same cursor twice", page)
        self._cursors.add(cursor)
        brought_news = self._news.observe(page.rows)
        if brought_news is not None:
            self._stale_pages = 0 if brought_news else self._stale_pages + 1
        if self._stale_pages >= MAX_STALE_PAGES:
            raise self._error(f"the list has no end: its last {MAX_STALE_PAGES} pages brought nothing new", page)

    def _error(self, message: str, page: Page) -> PaginationError:
        return PaginationError(message, request_id=page.request_id, path=self._path)
