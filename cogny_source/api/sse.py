"""Server-sent events: bytes to events, as the HTML standard says (section 9.2.6, "Interpreting an event stream")."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cogny_source.errors import ContractError

BOM = "\ufeff"
LINE_END = re.compile("\r\n|\n|\r")


@dataclass(frozen=True)
class ServerSentEvent:
    """One event.

    Attributes:
        type: Its name; `message` if the server gives none.
        data: Its data, lines joined by LF.
        id: The last id that the stream gave; empty if it gave none.
    """

    type: str
    data: str
    id: str = ""


class EventParser:
    """Turns the bytes of a stream into events, in pieces of any size.

    Args:
        most_characters: The longest event; a longer one is refused.
    """

    def __init__(self, most_characters: int) -> None:
        self._most_characters = most_characters
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest: list[str] = []
        self._begun = False
        self._after_cr = False
        self._type = ""
        self._data: list[str] = []
        self._id = ""
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """The events that a piece completes; what follows the last empty line waits for the next piece.

        Raises:
            ContractError: If an event is too long.
        """
        text = self._decode(piece)
        if not self._begun and text:
            self._begun = True
            text = text.removeprefix(BOM)
        for line in self._split(text):
            event = self._take(line)
            if event is not None:
                yield event
        if self._size + sum(map(len, self._rest)) > self._most_characters:
            raise ContractError("an event of the stream is too long")

    def _split(self, text: str) -> list[str]:
        """The lines that a text completes: they end with CR LF, LF or CR."""
        if self._after_cr and text:
            text = text.removeprefix("\n")  # the CR before it has ended the line
            self._after_cr = False
        self._after_cr = self._after_cr or text.endswith("\r")
        first, *others = LINE_END.split(text)
        self._rest.append(first)
        if not others:
            return []
        lines = ["".join(self._rest), *others[:-1]]
        self._rest = others[-1:]
        return lines

    def _take(self, line: str) -> ServerSentEvent | None:
        """Read a line; the event that an empty one completes, unless it has no data."""
        if not line:
            event = ServerSentEvent(self._type or "message", "\n".join(self._data), self._id) if self._data else None
            self._type, self._data, self._size = "", [], 0
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == "id" and "\0" not in value:
            self._id = value
        return None
