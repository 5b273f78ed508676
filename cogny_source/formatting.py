"""Numbers, spans of time and instants, as a person reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s"))
# Between a number and its unit no line is broken.
BLANK = "\u00a0"
# From so many of a unit on, the next smaller one says nothing.
ROUND_FROM = 10
# What no page may hold, or what would break its lines.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")

# Marks that turn the direction of a text, and of what follows it in a page.
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
    """A percentage with one digit behind the point; very large ones by their size."""
    return f"{number:.3g}{BLANK}%" if abs(number) >= 1e6 else f"{number:,.1f}{BLANK}%"


def span(seconds: float, *, blank: str = BLANK) -> str:
    """A span of time in its two largest units, or one: `3.2 s`, `4 min`, `2 h 5 min`, `12 d`.

    Args:
        seconds: How long it is.
        blank: What stands between a number and its unit; in a sentence that programs may read, a plain one.
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
    """A day of a year that is told elsewhere."""
    return f"{instant.day} {instant:%b}"


def excerpt(text: str, length: int) -> str:
    """A text on one line, cut where it is too long; nothing in it turns the direction of what stands beside it."""
    line = " ".join(UNSEEN.sub(" ", TURNS.sub("", text)).split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def listing(names: list[str]) -> str:
    """Names as a sentence holds them: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
