"""What a list brought so far, in little memory however long it is: whether a page of it holds news."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# Of a longer list every second version is kept, then every fourth, and so on: a set of so many takes some 3 MB.
MOST_KEPT = 2**15


class News:
    """The versions of rows that a list brought, or a sample of them.

    A version is kept by a hash of 64 bits; whether one belongs to the sample follows from it, so that a version that
    comes again is always recognised, and one that is new never taken for an old one but by chance of 1 in 10^14.
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._every = 1

    def __len__(self) -> int:
        """How many versions are kept."""
        return len(self._kept)

    def observe(self, rows: Iterable[dict[str, Any]]) -> bool | None:
        """Take a page in.

        Returns:
            Whether it holds a version that did not come before; None where none of its rows is in the sample.
        """
        versions = {hash((repr(row.get("id")), repr(row.get("updated_at")))) for row in rows}
        sampled = {version for version in versions if version % self._every == 0}
        if not sampled:
            return None if versions else False
        brought_news = not sampled <= self._kept
        self._kept |= sampled
        while len(self._kept) > MOST_KEPT:
            self._every *= 2
            self._kept = {version for version in self._kept if version % self._every == 0}
        return brought_news
