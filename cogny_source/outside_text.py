"""Text that came from outside, made safe for log lines, messages and terminals."""

from __future__ import annotations

import re

# Control characters, line ends of Unicode, marks that turn the direction of writing, and halves of surrogate pairs.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def safe_text(text: str) -> str:
    r"""A text that may be printed, logged and encoded as UTF-8, whatever it holds.

    Each character that could move a cursor, end a line or break an encoder stands as its escape, such as `\x1b` or
    `\ud800`; all others stay as they are.
    """
    if text.isprintable():
        return text
    return UNSAFE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
