"""Lists that each sync reads completely: few rows, without documented timestamps."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from cogny_source.api.pagination import Page, iter_pages
from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.extract.next_step import MAX_RESTARTS
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.records.columns import Row, dump_json
from cogny_source.timestamps import format_instant, parse_instant

logger = logging.getLogger(__name__)

# An unchanged list is compared with the destination once a day too.
COMPARE_EVERY_SECONDS = 86_400.0


def read_full_table(context: ReadContext, state: dict[str, Any]) -> Iterator[Chunk]:
    """Read a short list completely, and load all of it if anything changed since the last time.

    Args:
        context: Client, endpoint and counters; the counts receive each row's digest.
        state: The resource's state; `list_digest` is the digest of the list that was loaded last.

    Yields:
        One chunk, with all rows if anything changed.
    """
    endpoint, digests = context.endpoint, context.counts.digests
    builder = ChunkBuilder(endpoint.table)
    server_time, total = None, 0
    for page in list_full_table(context):
        server_time, total = server_time or page.server_time, page.total_count or 0
        builder.add(row for row in page.rows if note_digest(digests, row))
        context.after_page()
    context.counts.take(max(total, len(digests)), server_time)
    context.counts.list_digest = digest_list(digests)
    noted = note_list(state, context.counts.list_digest, server_time)
    if noted is None:
        builder = ChunkBuilder(endpoint.table)
    yield builder.build(noted, last=True)


def note_digest(digests: dict[str, str], row: Row) -> bool:
    """Record a row's digest; returns whether it is new."""
    key, digest = str(row.get("id")), digest_row(row)
    known, digests[key] = digests.get(key), digest
    return known != digest


def digest_list(digests: dict[str, str]) -> str:
    """The digest of a list, 24 characters: the state does not grow with the list."""
    return hashlib.blake2b(orjson.dumps(sorted(digests.items())), digest_size=12).hexdigest()


def note_list(state: dict[str, Any], text: str, now: datetime | None) -> dict[str, Any] | None:
    """The state with the list's digest; None if it is unchanged and was compared within a day."""
    told_at = parse_instant(state.get("compared_at"))
    rests = now is not None and told_at is not None and abs((now - told_at).total_seconds()) < COMPARE_EVERY_SECONDS
    if rests and state.get("list_digest") == text:
        return None
    kept = {name: value for name, value in state.items() if name != "digests"}
    return {**kept, "list_digest": text, "compared_at": format_instant(now) if now else None}


def list_full_table(context: ReadContext) -> Iterator[Page]:
    """The pages of a list, restarted if a cursor expires or the API counts more rows than it listed.

    Raises:
        BadRequest: If the API refuses the list, or its cursors keep expiring.
        PaginationError: If its cursors never end.
    """
    endpoint = context.endpoint
    keys: set[str] = set()
    for attempt in range(1 + MAX_RESTARTS):
        came, total = False, None
        try:
            for page in iter_pages(context.client, endpoint.path, {}, context.meter, scope=endpoint.scope):
                came, total = True, page.total_count
                keys.update(repr(row.get("id")) for row in page.rows)
                yield page
        except BadRequest as error:
            if not came or attempt == MAX_RESTARTS:
                raise
            logger.warning("%s; the cursor may have expired, reading the list again", error)
        else:
            if total is None or total <= len(keys):
                return
            logger.warning("%s: the API counts %d rows and listed %d", endpoint.path, total, len(keys))


def digest_row(row: Row) -> str:
    """The digest of a row as the API sent it, 24 characters."""
    try:
        text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        text = str(dump_json(row)).encode()
    return hashlib.blake2b(text, digest_size=12).hexdigest()
