"""Numbers, durations and instants for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
# A no-break space: no line break between a number and its unit.
BLANK = "\u00a0"
# From this many of a unit on, the next smaller unit is left out.
ROUND_FROM = 10
# Characters that HTML forbids, or that break lines.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")

# Marks that change the direction of a text and of what follows it.
TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def count(number: int, noun: str = "") -> str:
    """A number with its noun: `1 run`, `1,200 runs`."""
    told = f"{number:,}".replace("-", "−")
    if not noun:
        return told
    return f"{told} {noun}" if number == 1 else f"{told} {noun}s"


def short_number(number: float) -> str:
    """A number beside an axis, in few characters: `850`, `5,020`, `12k`, `3M`."""
    if abs(number) < 10_000:
        return f"{number:,.6g}" if number % 1 else f"{number:,.0f}"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if limit <= abs(number) < 1e12:
            return f"{number / limit:.6g}{unit}"
    return f"{number:.3g}"


def per_cent(number: float) -> str:
    """A percentage with one decimal; a very large one with three digits and an exponent."""
    return f"{number:.3g}{BLANK}%" if abs(number) >= 1e6 else f"{number:,.1f}{BLANK}%"


def span(seconds: float, *, blank: str = BLANK) -> str:
    """A duration in its one or two largest units: `3.2 s`, `4 min`, `2 h 5 min`, `12 d`.

    Args:
        seconds: The duration.
        blank: The space between a number and its unit; a plain one in a sentence that programs may read.
    """
    if seconds < 0:
        return f"−{span(-seconds, blank=blank)}"
    if seconds < ROUND_FROM:
        return f"{seconds:.1f}{blank}s"
    place = next(number for number, (size, _) in enumerate(UNITS) if seconds >= size)
    size, unit = UNITS[place]
    told = f"{int(seconds // size):,}{blank}{unit}"
    if size == 1 or seconds >= ROUND_FROM * size:
        return told
    smaller, its_unit = UNITS[place + 1]
    rest = int(seconds % size // smaller)
    return f"{told} {rest}{blank}{its_unit}" if rest else told


def second(instant: datetime | None) -> str:
    """An instant to the second, in UTC, as it can be typed into a query: `2026-11-28 04:48:04Z`."""
    return "-" if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def minute(instant: datetime | None) -> str:
    """An instant to the minute, in UTC."""
    return "–" if instant is None else f"{instant.day} {instant:%b %Y, %H:%M}"


def day(instant: datetime) -> str:
    """A day without its year."""
    return f"{instant.day} {instant:%b}"


def excerpt(text: str, length: int) -> str:
    """A text on one line, cut to a length, without marks that change the direction of text."""
    line = " ".join(UNSEEN.sub(" ", TURNS.sub("", text)).split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def listing(names: list[str]) -> str:
    """Names in a sentence: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
