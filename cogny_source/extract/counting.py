"""The API's row count, from one request for one row."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogny_source.api.calls import Params
from cogny_source.api.pagination import Page, read_page
from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.timestamps import format_instant, parse_instant, shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, UPDATED

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Count:
    """A count of the API.

    Attributes:
        rows: The count; None if the API does not count, or ignores the filter.
        taken_at: The server's clock (UTC); None if unknown.
        sample: The row of the answer; None without one.
    """

    rows: int | None
    taken_at: datetime | None
    sample: dict[str, object] | None = None


def fetch_count(context: ReadContext, start: datetime | None) -> Count:
    """Request the count of rows created at `start` or later, or of all rows together with the newest change.

    Raises:
        BadRequest: If the API refuses the request.
    """
    if start is None:
        page = _fetch_newest(context)
        return Count(page.list_rows, page.server_time, page.rows[0] if page.rows else None)
    # The API does not document whether the bound is inclusive: request from a microsecond earlier.
    bound = format_instant(start - timedelta(microseconds=1))
    page = _fetch(context, {"limit": 1, "created_after": bound, "sort": CREATED})
    created = parse_instant(page.rows[0].get(CREATED)) if page.rows else None
    if created is not None and created < shift(start, -MARGIN_SECONDS):  # the API ignores the filter
        return Count(None, page.server_time)
    return Count(page.list_rows, page.server_time, page.rows[0] if page.rows else None)


def note_count(context: ReadContext, start: datetime | None) -> Count:
    """Request the count by `fetch_count` and record it in the counts; log a refusal."""
    try:
        count = fetch_count(context, start)
    except BadRequest as error:
        logger.warning("%s; the API's rows cannot be counted", error)
        count = Count(None, None)
    context.counts.take(count.rows, count.taken_at)
    return count


def note_sample(context: ReadContext, start: datetime | None) -> None:
    """Request the count before a resource is read, and record it together with the answer's row."""
    sample = note_count(context, start).sample or {}
    key, version, created = sample.get("id"), parse_instant(sample.get(UPDATED)), parse_instant(sample.get(CREATED))
    if start is None:
        context.counts.newest_change = version
    elif created is not None and created < start:  # outside the bound, which is requested a little wider
        return
    if isinstance(key, str) and version is not None:
        context.counts.sample = (key, version)


def _fetch_newest(context: ReadContext) -> Page:
    try:
        return _fetch(context, {"limit": 1, "sort": f"-{UPDATED}"})
    except BadRequest:  # a list without a documented sort may refuse it
        return _fetch(context, {"limit": 1})


def _fetch(context: ReadContext, params: Params) -> Page:
    endpoint = context.endpoint
    return read_page(context.client.get(endpoint.path, params, context.meter, scope=endpoint.scope), endpoint.path)
