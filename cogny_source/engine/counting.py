"""How many rows the API counts, asked with one request for one row."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogny_source.api.client import Params
from cogny_source.api.pages import Page, read_page
from cogny_source.engine.reading import Reading
from cogny_source.engine.windows import CREATED, MARGIN_SECONDS, UPDATED
from cogny_source.errors import BadRequest
from cogny_source.instants import format_instant, parse_instant, shift

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Count:
    """A count of the API.

    Attributes:
        rows: How many rows it counts; None where it does not say, or counts other rows than asked for.
        taken_at: The server's clock (UTC); None where it is not told.
        sample: The row that came with the count; None where none did.
    """

    rows: int | None
    taken_at: datetime | None
    sample: dict[str, object] | None = None


def fetch_count(reading: Reading, start: datetime | None) -> Count:
    """Ask how many rows there are that were created at `start` or later; of all rows, the one that changed last comes.

    Raises:
        BadRequest: If the API refuses the question.
    """
    if start is None:
        page = _fetch_newest(reading)
        return Count(page.list_rows, page.server_time, page.rows[0] if page.rows else None)
    # Whether the bound is inclusive is not published: a microsecond before it is as good as exact.
    bound = format_instant(start - timedelta(microseconds=1))
    page = _fetch(reading, {"limit": 1, "created_after": bound, "sort": CREATED})
    created = parse_instant(page.rows[0].get(CREATED)) if page.rows else None
    if created is not None and created < shift(start, -MARGIN_SECONDS):  # the filter is not heeded
        return Count(None, page.server_time)
    return Count(page.list_rows, page.server_time, page.rows[0] if page.rows else None)


def note_count(reading: Reading, start: datetime | None) -> Count:
    """Ask how many rows there are, as `fetch_count` does, and note it in the tally; a refusal is told."""
    try:
        count = fetch_count(reading, start)
    except BadRequest as error:
        logger.warning("%s; the API's rows cannot be counted", error)
        count = Count(None, None)
    reading.tally.take(count.rows, count.taken_at)
    return count


def note_sample(reading: Reading, start: datetime | None) -> None:
    """Ask how many rows there are before a resource is read, and note the row that comes with the count too."""
    sample = note_count(reading, start).sample or {}
    key, version, created = sample.get("id"), parse_instant(sample.get(UPDATED)), parse_instant(sample.get(CREATED))
    if start is None:
        reading.tally.newest_change = version
    elif created is not None and created < start:  # the bound is asked for a little wider
        return
    if isinstance(key, str) and version is not None:
        reading.tally.sample = (key, version)


def _fetch_newest(reading: Reading) -> Page:
    try:
        return _fetch(reading, {"limit": 1, "sort": f"-{UPDATED}"})
    except BadRequest:  # a list that documents no sort may refuse one
        return _fetch(reading, {"limit": 1})


def _fetch(reading: Reading, params: Params) -> Page:
    endpoint = reading.endpoint
    return read_page(reading.client.get(endpoint.path, params, reading.meter, scope=endpoint.scope), endpoint.path)
