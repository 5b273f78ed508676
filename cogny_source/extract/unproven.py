"""Spans that were read and loaded by a listing which never came to its end, so that rows may have slipped out of them.

A cursor that counts places skips a row for each that vanishes, or moves behind the reader, before its place. The counts
show that at the end of a listing alone. A run that is killed before that end commits what it has read, and remembers
the span here; a later run shows that nothing had moved, or reads the span again.
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
# Beyond so many, neighbours are joined, and can then be read again only.
MOST_SPANS = 8


@dataclass(frozen=True)
class Span:
    """A span of one timestamp that was read by a listing without an end.

    Attributes:
        field: `created_at` or `updated_at`.
        window: The span.
        began_at: The server's clock when the listing began; None where it was not told.
        counted: How many rows the API counted in all just before; None where it did not say.
    """

    field: str
    window: Window
    began_at: datetime | None = None
    counted: int | None = None


def load_spans(state: dict[str, Any]) -> list[Span]:
    """The spans that a resource's state remembers."""
    return [
        Span(field, Window(parse_instant(start), parse_instant(end)), parse_instant(began_at), counted)
        for field, start, end, began_at, counted in state.get(MEMBER, [])
    ]


def note_spans(state: dict[str, Any], spans: Sequence[Span]) -> dict[str, Any]:
    """The state with these spans in place of those that it remembers."""
    rest = {name: value for name, value in state.items() if name != MEMBER}
    return {**rest, MEMBER: [_dump(span) for span in _merge(spans)]} if spans else rest


def reread_spans(reading: ReadContext, state: dict[str, Any], newest: datetime | None) -> Iterator[Chunk]:
    """Read again what an earlier run read without coming to an end, where something may have moved since.

    Args:
        reading: Client, endpoint and counters.
        state: The resource's state; not changed.
        newest: The newest `updated_at` that the pass before it saw; None where it saw none.

    Yields:
        Chunks, the last with the state without the spans that are proven now.
    """
    left: list[Span] = []
    created = Window(parse_instant(state.get("start_date")))
    builder = ChunkBuilder(reading.endpoint.table, history=reading.history)
    for span in load_spans(state):
        if _stood_still(reading, span, newest, created.start):
            continue
        logger.warning("%s: reading again what an interrupted run may have skipped", reading.endpoint.path)
        listing = Listing(reading, span.field, span.window)
        clip = span.window if span.field == CREATED else created
        for page in listing.pages():
            builder.add(clip.clip(page.rows, page.instants(CREATED)))
            if builder.is_full(reading.chunk_rows):
                yield builder.build(None)
        if not listing.complete:
            left.append(span)
    yield replace(builder.build(note_spans(state, left)), last=True)


def _stood_still(reading: ReadContext, span: Span, newest: datetime | None, start: datetime | None) -> bool:
    """Whether nothing moved in a span since its listing began, so that no row can have slipped out of it."""
    if span.began_at is None:
        return False
    if span.field == UPDATED:
        # The pass that went on from the span's end lists every later change: each row that left the span is among them.
        return newest is None or newest < shift(span.began_at, -MARGIN_SECONDS)
    if span.counted is None:
        return False
    try:
        rows, newcomers = fetch_count(reading, start).rows, fetch_count(reading, span.began_at).rows
    except BadRequest:
        return False
    return rows is not None and newcomers is not None and rows - newcomers == span.counted


def _merge(spans: Sequence[Span]) -> list[Span]:
    """Join spans that touch, so that a run that is killed each day does not lengthen the state.

    Those of creation time keep the count that may prove them, as long as they are few.
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
