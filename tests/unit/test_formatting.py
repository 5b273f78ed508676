"""Numbers and spans in words."""

from __future__ import annotations

import pytest

from cogny_source import formatting


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0.0 s"),
        (3.21, "3.2 s"),
        (59.9, "59 s"),
        (125, "2 min 5 s"),
        (600, "10 min"),
        (3600, "1 h"),
        (2 * 3600 + 300, "2 h 5 min"),
        (86400 * 9 + 3600 * 5, "9 d 5 h"),
        (86400 * 4000, "4,000 d"),
        (-90, "−1 min 30 s"),
    ],
)
def test_span_in_words(seconds: float, told: str) -> None:
    """Two units at most, the smaller one only where the larger one is small."""
    assert formatting.span(seconds, blank=" ") == told
    assert formatting.span(seconds).replace(formatting.BLANK, " ") == told


def test_numbers_in_words() -> None:
    """Numbers of the axes are short; counts are whole."""
    numbers = [0, 0.5, 40, 950, 1000, 12_500, 3e6, 2e9, 1e15, -2000]
    told = ["0", "0.5", "40", "950", "1,000", "12.5k", "3M", "2G", "1e+15", "-2,000"]
    assert [formatting.short_number(number) for number in numbers] == told
    assert [formatting.count(number, "run") for number in (1, 1200, -3)] == ["1 run", "1,200 runs", "−3 runs"]
    assert (formatting.per_cent(12.34), formatting.per_cent(1e308)) == ("12.3\u00a0%", "1e+308\u00a0%")
    assert formatting.listing(["a"]) == "a"
    assert formatting.listing(["a", "b", "c"]) == "a, b and c"
