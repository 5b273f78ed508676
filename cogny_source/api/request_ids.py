"""Request ids, by which an answer to another request is recognised."""

from __future__ import annotations

import uuid


class RequestIds:
    """The ids of a client's requests: random UUIDs with a common prefix, by which the client recognises them."""

    def __init__(self) -> None:
        self._beginning = uuid.uuid4().bytes[:6]
        self._prefix = str(self.make())[:13]

    def make(self) -> str:
        """A new id."""
        return str(uuid.UUID(bytes=self._beginning + uuid.uuid4().bytes[6:]))

    def is_ours(self, text: str | None) -> bool:
        """Whether an id is that of a request of this client."""
        return text is not None and text.lower().startswith(self._prefix)
