"""Excerpts of tickets."""

from __future__ import annotations

from cogny_source import formatting


def test_excerpt_is_one_line_that_turns_nothing() -> None:
    """Line ends, control characters and marks that turn directions are left out; a long text is cut."""
    assert formatting.excerpt("a\n\tb\x00c \u202ed\u2066", 20) == "a b c d"
    assert formatting.excerpt("abcdef", 4) == "abc…"
