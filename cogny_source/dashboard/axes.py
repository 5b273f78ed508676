"""Axis scales: positions of values, and round tick values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from cogny_source.formatting import DAY, HOUR, MINUTE

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
# Durations with familiar names.
SPANS = ((1, "1 s"), (MINUTE, "1 min"), (HOUR, "1 h"), (DAY, "1 d"), (30 * DAY, "30 d"), (365 * DAY, "1 y"))
SPANS_END = 100 * 365 * DAY
# Larger values are clipped.
LARGEST = 1e15


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        ticks: The tick values.
        place: The position of a value, from 0 at the beginning to 1 at the end.
    """

    ticks: tuple[float, ...]
    place: Callable[[float], float]


def linear(values: Iterable[float], ticks: int = 4, *, whole: bool = False, from_zero: bool = True) -> Scale:
    """A scale with evenly spaced round values.

    Args:
        values: The values to include.
        ticks: About how many ticks.
        whole: Whether ticks must be whole numbers.
        from_zero: Whether to include 0.
    """
    known = [min(max(value, -LARGEST), LARGEST) for value in values] or [0.0]
    low, high = min(known), max(known)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    elif low == high:
        low, high = max(low - 1, min(low, 0.0)), high + 1
    step = _round_step((high - low) / ticks, whole=whole)
    first, last = floor(low / step), max(ceil(high / step), floor(low / step) + 1)
    start, size = first * step, (last - first) * step
    return Scale(tuple(number * step for number in range(first, last + 1)), lambda value: _clip((value - start) / size))


def _round_step(least: float, *, whole: bool) -> float:
    """The smallest round number that is at least a number."""
    if least <= 0:
        return 1.0
    power = 10.0 ** floor(log10(least))
    step = next((factor * power for factor in ROUND if factor * power >= least), 10 * power)
    return float(max(1, ceil(step))) if whole else step


def powers(values: Iterable[float]) -> Scale:
    """A logarithmic scale of powers of ten that begins with 0."""
    top = min(max(values, default=0.0), LARGEST)
    highest = max(1, ceil(log10(max(top, 1.0))))
    stride = max(1, ceil(highest / 3))
    size = log10(1 + 10.0**highest)
    ticks = (0.0, *(10.0**power for power in range(highest % stride or stride, highest + 1, stride)))
    return Scale(ticks, lambda value: _clip(log10(1 + max(0.0, value)) / size))


def spans(values: Sequence[float]) -> Scale:
    """A logarithmic scale of seconds between familiar durations."""
    known = [min(max(value, 1.0), SPANS_END) for value in values] or [1.0]
    sizes = [size for size, _ in SPANS]
    low = max(size for size in sizes if size <= min(known))
    high = min((size for size in (*sizes, SPANS_END) if size >= max(known) and size > low), default=SPANS_END)
    size = log10(high / low)
    ticks = tuple(float(step) for step in sizes if low <= step <= high)
    return Scale(ticks, lambda value: _clip(log10(max(value, low) / low) / size))


def name_span(seconds: float) -> str:
    """The label of a tick of `spans`."""
    return next(name for size, name in SPANS if size == seconds)


def _clip(place: float) -> float:
    return min(1.0, max(0.0, place))
