"""Detects pages of a list without new row versions, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# A longer list keeps every second version, then every fourth, and so on. A set of this size takes about 3 MB.
MOST_KEPT = 2**15


class News:
    """The row versions that a list has returned so far, or a sample of them.

    A version is stored as a 64-bit hash, which also decides whether it belongs to the sample: a repeated version is
    always recognised, and a new one is taken for an old one with a probability of 1 in 10^14.
    """

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._every = 1

    def __len__(self) -> int:
        """How many versions are stored."""
        return len(self._kept)

    def observe(self, rows: Iterable[dict[str, Any]]) -> bool | None:
        """Add the rows of a page.

        Returns:
            Whether the page has a new version; None if none of its rows is in the sample.
        """
        versions = {_hash(row.get("id"), row.get("updated_at")) for row in rows}
        sampled = {version for version in versions if version % self._every == 0}
        if not sampled:
            return None if versions else False
        has_news = not sampled <= self._kept
        self._kept |= sampled
        while len(self._kept) > MOST_KEPT:
            self._every *= 2
            self._kept = {version for version in self._kept if version % self._every == 0}
        return has_news


def _hash(key: object, updated_at: object) -> int:
    try:
        return hash((key, updated_at))
    except TypeError:  # a list or an object in place of a text
        return hash((repr(key), repr(updated_at)))
