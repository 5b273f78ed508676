"""Text from outside, made safe to print and to encode."""

from __future__ import annotations

import pytest

from cogny_source.outside_text import safe_text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("", ""),
        ("as it is", "as it is"),
        ("Größe 😀 \u00a0 [/x]", "Größe 😀 \u00a0 [/x]"),
        ("half \ud83d a pair", r"half \ud83d a pair"),
        ("\udc00", r"\udc00"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("two\nlines\r\tand a tab", r"two\nlines\r\tand a tab"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("turned \u202e round \u2066", r"turned \u202e round \u2066"),
    ],
    ids=repr,
)
def test_what_could_harm_stands_as_its_escape(text: str, safe: str) -> None:
    """Control characters, line ends, marks of direction and halves of pairs; nothing else."""
    assert safe_text(text) == safe
    safe_text(text).encode()
