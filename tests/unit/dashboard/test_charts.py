"""Charts: each mark as large as its value."""

from __future__ import annotations

import re

from cogny_source.dashboard import axes, charts


def test_bars_are_shares_of_the_total() -> None:
    """A bar of three of four is three quarters wide, beside its track."""
    drawn = charts.bars([charts.Bar("completed", 3, "3"), charts.Bar("failed", 1, "1")], 4)
    assert re.findall(r'width="([\d.]+)%"', drawn) == ["100.00", "75.00", "100.00", "25.00"]


def test_columns_stand_on_one_scale() -> None:
    """What grows upwards and what grows downwards is as long as its value is large."""
    drawn = charts.opposed_columns([10, 5], [0, 20], axes.linear([20], 2), titles=("opened", "closed"))
    assert re.findall(r'height="([\d.]+)"', drawn) == ["42.0", "0.0", "21.0", "84.0"]


def test_steps_keep_their_height_over_gaps() -> None:
    """A run that left a resource out neither ends its line nor moves it."""
    panel = charts.Panel("tickets", [1, None, 2], [False] * 3, axes.linear([1, 2], 1), "2", stepped=True)
    steps = re.findall(
        r'x1="([\d.]+)%" x2="([\d.]+)%" y1="([\d.]+)" y2="([\d.]+)" class="step"', charts.panels([panel])
    )
    left, right = charts.NUMBERS
    third = (right - left) / 3
    across = [(left, left + 2 * third), (left + 2 * third,) * 2, (left + 2 * third, right)]
    assert [(x1, x2) for x1, x2, *_ in steps] == [(f"{x1:.2f}", f"{x2:.2f}") for x1, x2 in across]
    assert [(y1, y2) for *_, y1, y2 in steps] == [("62.0", "62.0"), ("62.0", "30.0"), ("30.0", "30.0")]
