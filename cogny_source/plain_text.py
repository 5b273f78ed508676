r"""Text from outside, made safe for a terminal, a log line and a page: invisible characters become escapes."""

from __future__ import annotations

import json
import re

# Control characters, line ends, invisible and direction marks, lone surrogates, non-characters.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
BEYOND_ASCII = re.compile("[^\x00-\x7f]")
KEY = re.compile(r"\b(sk_live_|sk_test_|cogny_lite_)[\w-]+")


def safe_text(text: object) -> str:
    r"""A text on one line without control characters: ESC becomes `\x1b`, as in `a\x1b[31m`."""
    return UNSAFE.sub(lambda match: _escape(match[0]), str(text))


def safe_lines(text: object) -> str:
    """A text as from `safe_text`, but with its line ends and tabs."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else _escape(match[0]), str(text))


def dump_safe_json(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """A value as JSON without control characters; lone surrogates, which no reader accepts, become texts.

    Args:
        value: A JSON value.
        ascii_only: Whether to escape characters beyond ASCII, for a stream that cannot encode them.
        indent: Spaces per level; None for one line.
    """
    text = UNSAFE.sub(_escape_in_json, json.dumps(value, ensure_ascii=False, indent=indent))
    return BEYOND_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text) if ascii_only else text


def cut_text(text: str, characters: int) -> str:
    """The beginning of a text, with an ellipsis if it is longer."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def hide_keys(text: str) -> str:
    """A text with each API key cut to its prefix."""
    return KEY.sub(r"\1…", text)


def _escape_in_json(match: re.Match[str]) -> str:
    """The JSON escape of a character; line ends occur between values only and stay."""
    character = match[0]
    if character == "\n":
        return character
    escape = json.dumps(character)[1:-1]
    return f"\\{escape}" if "\ud800" <= character <= "\udfff" else escape


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
