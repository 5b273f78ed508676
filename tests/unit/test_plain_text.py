"""Text from outside: what is unseen in it is shown, and nothing in it acts."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.plain_text import cut_text, dump_safe_json, hide_keys, safe_lines, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red] ä 😀 \u200d", "plain [red] ä 😀 \u200d"),
        ("\x1b[2J\x07\r\n\t\x08\x7f", r"\x1b[2J\x07\r\n\t\x08\x7f"),
        ("\u202e\u2066\u200f\u2028\u2029\ufeff\U000e0041", r"\u202e\u2066\u200f\u2028\u2029\ufeff\U000e0041"),
        ("\ud800\udfff", r"\ud800\udfff"),
    ],
)
def test_what_is_unseen_is_shown(text: str, shown: str) -> None:
    """As an escape; every letter, and what joins letters, stays."""
    assert safe_text(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_safe_text_can_be_written_on_one_line(text: str) -> None:
    """Whatever the text is; a text that is safe stays as it is."""
    safe = safe_text(text)
    safe.encode()
    assert len(safe.splitlines()) <= 1
    assert safe_text(safe) == safe
    lines = safe_lines(text).split("\n")
    assert lines == [safe_lines(part) for part in text.split("\n")]
    assert all(len(line.splitlines()) <= 1 for line in lines)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_json_reads_the_same_and_acts_on_nothing(text: str, ascii_only: bool) -> None:
    """Whatever a text holds, and in any encoding."""
    dumped = dump_safe_json({text: [text, None]}, ascii_only=ascii_only, indent=2)
    assert json.loads(dumped) == {text: [text, None]}
    assert safe_lines(dumped) == dumped
    assert dumped.isascii() or not ascii_only


@pytest.mark.parametrize("ascii_only", [False, True])
def test_half_a_surrogate_pair_is_shown_in_json(ascii_only: bool) -> None:
    """Readers of JSON refuse its escape."""
    dumped = dump_safe_json("\ud800é", ascii_only=ascii_only)
    assert json.loads(dumped) == "\\ud800é"
    orjson.loads(dumped)


def test_keys_are_cut_down_to_their_prefix() -> None:
    """A message that somebody else made may hold one."""
    assert hide_keys("sk_live_abc-1, 'sk_test_x' and cogny_lite_9") == "sk_live_…, 'sk_test_…' and cogny_lite_…"
    assert (cut_text("abcd", 4), cut_text("abcde", 4)) == ("abcd", "abc…")
