"""Lists that every sync reads whole: few rows, without documented timestamps."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from typing import Any

import orjson

from cogny_source.api.pages import Page, iter_pages
from cogny_source.arrow import Row, dump_json
from cogny_source.engine.chunk import Chunk, ChunkBuilder
from cogny_source.engine.listing import MAX_RESTARTS
from cogny_source.engine.reading import Reading
from cogny_source.errors import BadRequest

logger = logging.getLogger(__name__)


def read_whole(reading: Reading, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read a short list whole, and load the rows that changed since the last time.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state; `digests` tells each loaded row's content.

    Yields:
        One chunk.
    """
    endpoint = reading.endpoint
    builder = ChunkBuilder(endpoint.table)
    known: dict[str, str] = state.get("digests", {})
    digests: dict[str, str] = {}
    server_time, total = None, 0
    for page in list_whole(reading):
        server_time, total = server_time or page.server_time, page.total_count or 0
        for row in page.rows:
            key, digest = str(row.get("id")), digest_row(row)
            if digests.get(key, known.get(key)) != digest:
                builder.add([row])
            digests[key] = digest
        reading.after_page()
    reading.tally.take(max(total, len(digests)), server_time)
    yield builder.build({**state, "digests": digests} if digests != known else None, last=True)


def list_whole(reading: Reading) -> Iterator[Page]:
    """The pages of a list, from its beginning again where a cursor expired or the API counts more than it listed.

    Raises:
        BadRequest: If the API refuses the list, or its cursors keep expiring.
        PaginationError: If its cursors lead nowhere.
    """
    endpoint = reading.endpoint
    keys: set[str] = set()
    for attempt in range(1 + MAX_RESTARTS):
        pages, total = 0, None
        try:
            for page in iter_pages(reading.client, endpoint.path, {}, reading.meter, scope=endpoint.scope):
                pages, total = pages + 1, page.total_count
                keys.update(repr(row.get("id")) for row in page.rows)
                yield page
        except BadRequest as error:
            if not pages or attempt == MAX_RESTARTS:
                raise
            logger.warning("%s; the cursor may have expired, the list is read again", error)
        else:
            if total is None or total <= len(keys):
                return
            logger.warning("%s: the API counts %d rows and listed %d", endpoint.path, total, len(keys))


def digest_row(row: Row) -> str:
    """The content of a row as the API sent it, in 24 characters."""
    try:
        text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits, half a surrogate pair
        text = str(dump_json(row)).encode()
    return hashlib.blake2b(text, digest_size=12).hexdigest()
