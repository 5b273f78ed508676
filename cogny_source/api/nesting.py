"""JSON nested too deeply for a parser or a database: the deep parts are kept as text."""

from __future__ import annotations

import re

import orjson

# Counted from the envelope. orjson writes 254 levels, BigQuery's JSON holds 500, Python's stack about 900.
MOST_LEVELS = 200
BRACKETS = b"[]{}"
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in BRACKETS)
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def is_shallow(body: bytes) -> bool:
    """Whether the brackets alone prove that JSON has no more than `MOST_LEVELS` levels: a cheap test for most JSON.

    Each turn removes the innermost pairs, two levels at most; the rest bounds the levels above them. Brackets in texts
    usually remain and then cost a closer look, no more.
    """
    brackets = body.translate(None, NOT_BRACKETS)
    for _ in range(MOST_LEVELS // 4):
        if len(brackets) <= MOST_LEVELS // 2:
            return True
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            return False
        brackets = fewer
    return False


def flatten_depths(body: bytes) -> bytes:
    """Replace values below `MOST_LEVELS` by texts that hold their JSON; the rest is unchanged.

    Args:
        body: JSON.

    Raises:
        ValueError: If a bracket is not closed, or a deep value is not UTF-8.
    """
    pieces: list[bytes] = []
    copied = start = level = 0
    for match in TOKEN.finditer(body):
        if match[0] in b"[{":
            level += 1
            if level == MOST_LEVELS + 1:
                start = match.start()
        elif match[0] in b"]}":
            if level == MOST_LEVELS + 1:
                pieces += [body[copied:start], orjson.dumps(body[start : match.end()].decode())]
                copied = match.end()
            level -= 1
    if level > MOST_LEVELS:
        raise ValueError("a bracket is not closed")
    return b"".join([*pieces, body[copied:]])
