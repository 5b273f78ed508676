r"""Text from outside, made safe for a terminal, a log line and a page: what is unseen there is shown as an escape."""

from __future__ import annotations

import json
import re

# Control characters, line ends, marks that are unseen or turn a text's direction, halves of pairs, no characters.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
BEYOND_ASCII = re.compile("[^\x00-\x7f]")
KEY = re.compile(r"\b(sk_live_|sk_test_|cogny_lite_)[\w-]+")


def safe_text(text: object) -> str:
    r"""A text on one line in which nothing acts: `a\x1b[31m` is shown as it is written here."""
    return UNSAFE.sub(lambda match: _escape(match[0]), str(text))


def safe_lines(text: object) -> str:
    """A text as `safe_text` makes it, but for its line ends and tabs, which stay."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else _escape(match[0]), str(text))


def dump_safe_json(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """A value as JSON in which nothing acts; halves of surrogate pairs, which no reader takes, are shown as texts.

    Args:
        value: What JSON can hold.
        ascii_only: Whether to write characters beyond ASCII as escapes, for a stream that lacks them.
        indent: By how much each level is indented; None for one line.
    """
    text = UNSAFE.sub(_escape_in_json, json.dumps(value, ensure_ascii=False, indent=indent))
    return BEYOND_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text) if ascii_only else text


def cut_text(text: str, characters: int) -> str:
    """A text's beginning, with an ellipsis where it is longer."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def hide_keys(text: str) -> str:
    """A text in which keys of the API are cut down to their prefix."""
    return KEY.sub(r"\1…", text)


def _escape_in_json(match: re.Match[str]) -> str:
    """An escape that is read as the character; a line end stands between values, never in a text."""
    character = match[0]
    if character == "\n":
        return character
    escape = json.dumps(character)[1:-1]
    return f"\\{escape}" if "\ud800" <= character <= "\udfff" else escape


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
