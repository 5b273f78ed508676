"""Spans read and loaded by a listing that did not end, so that rows may be missing in them.

An offset cursor skips a row for each row before its position that vanishes or moves. Counts show that only at the end
of a listing. A run that is killed before commits what it has read and records the span here; a later run proves that
nothing had moved, or reads the span again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cogny_source.errors import BadRequest
from cogny_source.extract.context import ReadContext
from cogny_source.extract.counting import fetch_count
from cogny_source.extract.listing import Listing
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.timestamps import format_instant, parse_instant, shift
from cogny_source.windows import CREATED, MARGIN_SECONDS, UPDATED, Window

logger = logging.getLogger(__name__)

MEMBER = "unproven"
# Further spans are joined with their neighbours; a joined span can only be read again.
MOST_SPANS = 8


@dataclass(frozen=True)
class Span:
    """A span of one timestamp read by a listing that did not end.

    Attributes:
        field: `created_at` or `updated_at`.
        window: The span.
        began_at: The server's clock at the beginning of the listing; None if unknown.
        counted: The API's count of all rows just before; None if it did not count.
    """

    field: str
    window: Window
    began_at: datetime | None = None
    counted: int | None = None


def load_spans(state: dict[str, Any]) -> list[Span]:
    """The spans in a resource's state."""
    return [
        Span(field, Window(parse_instant(start), parse_instant(end)), parse_instant(began_at), counted)
        for field, start, end, began_at, counted in state.get(MEMBER, [])
    ]


def note_spans(state: dict[str, Any], spans: Sequence[Span]) -> dict[str, Any]:
    """The state with these spans instead of its own."""
    rest = {name: value for name, value in state.items() if name != MEMBER}
    return {**rest, MEMBER: [_dump(span) for span in _merge(spans)]} if spans else rest


def reread_spans(context: ReadContext, state: dict[str, Any], newest: datetime | None) -> Iterator[Chunk]:
    """Read the spans again in which something may have moved.

    Args:
        context: Client, endpoint and counters.
        state: The resource's state; not changed.
        newest: The newest `updated_at` of the pass before; None without rows.

    Yields:
        Chunks; the last one has the state without the spans that are proven now.
    """
    left: list[Span] = []
    created = Window(parse_instant(state.get("start_date")))
    builder = ChunkBuilder(context.endpoint.table, history=context.history)
    for span in load_spans(state):
        if _stood_still(context, span, newest, created.start):
            continue
        logger.warning("%s: reading again what an interrupted run may have skipped", context.endpoint.path)
        listing = Listing(context, span.field, span.window)
        clip = span.window if span.field == CREATED else created
        for page in listing.pages():
            builder.add(clip.clip(page.rows, page.instants(CREATED)))
            if builder.is_full(context.chunk_rows):
                yield builder.build(None)
        if not listing.complete:
            left.append(span)
    yield replace(builder.build(note_spans(state, left)), last=True)


def _stood_still(context: ReadContext, span: Span, newest: datetime | None, start: datetime | None) -> bool:
    """Whether nothing moved in a span since its listing began, so that no row is missing."""
    if span.began_at is None:
        return False
    if span.field == UPDATED:
        # The pass after the span lists every later change, and so each row that left the span.
        return newest is None or newest < shift(span.began_at, -MARGIN_SECONDS)
    if span.counted is None:
        return False
    try:
        rows, newcomers = fetch_count(context, start).rows, fetch_count(context, span.began_at).rows
    except BadRequest:
        return False
    return rows is not None and newcomers is not None and rows - newcomers == span.counted


def _merge(spans: Sequence[Span]) -> list[Span]:
    """Join touching spans, so that daily kills do not lengthen the state.

    A few spans of creation time keep their count, which may prove them.
    """
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.field, span.window.sort_key)):
        last = merged[-1] if merged else None
        alike = last is not None and (last.began_at, last.counted) == (span.began_at, span.counted)
        joins = last is not None and last.field == span.field and last.window.touches(span.window)
        if last is None or not joins or not (alike or span.field == UPDATED or len(spans) > MOST_SPANS):
            merged.append(span)
            continue
        known = [one.began_at for one in (last, span) if one.began_at is not None]
        began_at = min(known) if len(known) == 2 else None
        merged[-1] = Span(span.field, last.window.joined(span.window), began_at, span.counted if alike else None)
    return merged


def _dump(span: Span) -> list[Any]:
    bounds = (span.window.start, span.window.end, span.began_at)
    return [span.field, *(format_instant(bound) if bound else None for bound in bounds), span.counted]
