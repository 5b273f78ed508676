"""Server-sent events: the examples of the HTML standard, and streams that come in pieces of any size."""

from __future__ import annotations

from itertools import chain

import pytest

from cogny_source.api.sse import EventParser, ServerSentEvent
from cogny_source.errors import ContractError

MESSAGE = "message"

# The examples of section 9.2.6, and what each dispatches: type, data, id.
EXAMPLES: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("data: YHOO\ndata: +2\ndata: 10\n\n", [(MESSAGE, "YHOO\n+2\n10", "")]),
    (
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [(MESSAGE, "first event", "1"), (MESSAGE, "second event", ""), (MESSAGE, " third event", "")],
    ),
    ("data\n\ndata\ndata\n\ndata:", [(MESSAGE, "", ""), (MESSAGE, "\n", "")]),
    ("data:test\n\ndata: test\n\n", [(MESSAGE, "test", ""), (MESSAGE, "test", "")]),
    ("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [("add", "73857293", ""), ("remove", "2153", "")]),
    ("event: alone\n\ndata: x\n\n", [(MESSAGE, "x", "")]),
    ("id: 7\n\ndata: x\n\n", [(MESSAGE, "x", "7")]),
    ("id: a\0b\ndata: x\n\n", [(MESSAGE, "x", "")]),
    ("retry: 10\nunknown: y\ndata: x: y\n\n", [(MESSAGE, "x: y", "")]),
    ("\ufeffdata: x\n\n\ufeffdata: y\n\n", [(MESSAGE, "x", "")]),
    ("data: Größe 📈\n\n", [(MESSAGE, "Größe 📈", "")]),
    ("data: cut off\n", []),
]


def parse(text: str, size: int) -> list[tuple[str, str, str]]:
    """The events of a stream that comes in pieces."""
    parser, content = EventParser(1000), text.encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return [(event.type, event.data, event.id) for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CR LF"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("text", "events"), EXAMPLES)
def test_the_standards_examples(text: str, events: list[tuple[str, str, str]], size: int, end: str) -> None:
    """However the lines end, and wherever the pieces are cut, within a character too."""
    assert parse(text.replace("\n", end), size) == events


def test_an_event_comes_with_its_empty_line() -> None:
    """Not before, and not later: a CR ends a line though an LF may follow."""
    parser = EventParser(1000)
    assert list(parser.feed(b"data: x\r\n")) == []
    assert list(parser.feed(b"\r")) == [ServerSentEvent(MESSAGE, "x")]
    assert list(parser.feed(b"\ndata: y\n\n")) == [ServerSentEvent(MESSAGE, "y")]


@pytest.mark.parametrize("piece", [b"data: 123456789\n", b"x" * 11])
def test_an_event_without_an_end_is_refused(piece: bytes) -> None:
    """Memory stays bounded, whether its lines end or not."""
    parser = EventParser(100)
    with pytest.raises(ContractError, match="too long"):
        list(chain.from_iterable(parser.feed(piece) for _ in range(20)))
