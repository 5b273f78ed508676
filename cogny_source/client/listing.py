"""Lists, read page by page as they are needed; rows that were not asked for are left out, and none comes twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Generic, TypeVar

from cogny_source.api.pagination import Page, iter_pages
from cogny_source.client.context import Context
from cogny_source.client.models import Model
from cogny_source.client.reading import read_model
from cogny_source.errors import BadRequest
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Model)
BOUNDS = ("_after", "_before")


@dataclass(frozen=True)
class ListPage(Generic[M]):
    """One page of a list.

    Attributes:
        rows: Its rows, but for those that the API listed in spite of a filter, or before.
        total_count: How many rows the API counts in the list; None if it does not say. Where the API ignores a filter,
            it counts all rows.
        request_id: The id of its request.
    """

    rows: tuple[M, ...]
    total_count: int | None
    request_id: str | None


class Listing(Generic[M]):
    """A list of the API; each iteration reads it anew.

    Args:
        context: Sends the requests.
        kind: What a row is.
        path: The list's path.
        scope: The scope that it needs.
        filters: The query.
    """

    def __init__(self, context: Context, kind: type[M], path: str, scope: str, filters: Mapping[str, str]) -> None:
        self._context = context
        self._kind = kind
        self._path = path
        self._scope = scope
        self._filters = dict(filters)
        self._total: int | None = None
        self._counted = False

    def __iter__(self) -> Iterator[M]:
        """The rows, in the API's order."""
        return chain.from_iterable(page.rows for page in self.pages())

    @property
    def total_count(self) -> int | None:
        """How many rows the API counts in the list; None if it does not say. Asks for a page if none was read."""
        if not self._counted:
            next(self.pages())
        return self._total

    def pages(self) -> Iterator[ListPage[M]]:
        """The pages, each requested when it is needed.

        A cursor may expire while the rows of a page are worked on: the list is then read again from its beginning, and
        rows that came before are left out.
        """
        seen: set[str] = set()
        while True:
            known = len(seen)
            began = False
            try:
                for page in iter_pages(
                    self._context.http, self._path, self._filters, self._context.meter, scope=self._scope
                ):
                    yield self._read(page, seen)
                    began = True
            except BadRequest:
                if not began or len(seen) == known:
                    raise
                logger.info("%s: the cursor is no longer taken; the list is read again", self._path)
            else:
                return

    def _read(self, page: Page, seen: set[str]) -> ListPage[M]:
        if not self._counted:
            self._counted, self._total = True, page.total_count
        models = []
        for row in page.rows:
            identity = str(row.get("id"))
            if identity not in seen and fits(row, self._filters):
                models.append(read_model(self._kind, row, page.request_id))
                seen.add(identity)
        return ListPage(tuple(models), page.total_count, page.request_id)


def fits(row: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    """Whether a row is one that the filters ask for, as far as the row tells: an API may ignore them.

    Bounds count as inclusive, as the API does not say whether they are.
    """
    for name, wanted in filters.items():
        if name == "sort":
            continue
        bound = next((bound for bound in BOUNDS if name.endswith(bound)), None)
        if bound is None:
            if row.get(name, wanted) != wanted:
                return False
            continue
        instant, limit = parse_instant(row.get(f"{name.removesuffix(bound)}_at")), parse_instant(wanted)
        if instant is not None and limit is not None and not _is_within(instant, limit, bound):
            return False
    return True


def _is_within(instant: datetime, limit: datetime, bound: str) -> bool:
    return instant >= limit if bound == "_after" else instant <= limit
