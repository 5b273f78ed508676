"""JSON that is nested so deeply that a parser or a database would refuse it: its depths are kept as text."""

from __future__ import annotations

import re

import orjson

# Envelope and row included. orjson writes 254 levels, BigQuery's JSON holds 500, Python's own stack bears some 900.
MOST_LEVELS = 200
BRACKETS = b"[]{}"
NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in BRACKETS)
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def is_shallow(body: bytes) -> bool:
    """Whether JSON is shown by its brackets alone to have no more than `MOST_LEVELS`: most is, at little cost.

    Each turn takes the innermost pairs away, two levels at most; what is left bounds the levels above them. Brackets
    within texts are left over as a rule, and cost no more than a closer look.
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
    """Write what lies deeper than `MOST_LEVELS` as texts that hold its JSON; all else stays as it is.

    Args:
        body: JSON.

    Raises:
        ValueError: If a bracket is not closed, or the depths are not UTF-8.
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
