"""Axes: round values that hold all values between them."""

from __future__ import annotations

from typing import Any

import pytest

from cogny_source import formatting
from cogny_source.dashboard import axes


@pytest.mark.parametrize(
    ("values", "options", "ticks"),
    [
        ([], {}, (0, 1)),
        ([0], {}, (0, 1)),
        ([37], {}, (0, 10, 20, 30, 40)),
        ([3], {"whole": True}, (0, 1, 2, 3)),
        ([-12, 5], {}, (-15, -10, -5, 0, 5)),
        ([5012], {"from_zero": False, "whole": True}, (5011, 5012, 5013)),
        ([5000, 5055], {"from_zero": False, "ticks": 3}, (5000, 5020, 5040, 5060)),
        ([1e308, -1e308], {"ticks": 2}, (-1e15, 0, 1e15)),
    ],
)
def test_linear_scale(values: list[float], options: dict[str, Any], ticks: tuple[float, ...]) -> None:
    """Round values hold all values between them, and the ends stand at 0 and 1."""
    found = axes.linear(values, **options)
    assert found.ticks == ticks
    assert (found.place(ticks[0]), found.place(ticks[-1])) == (0, 1)
    assert all(0 <= found.place(value) <= 1 for value in values)


def test_axes_have_few_distinct_names() -> None:
    """Round values between large numbers that are close together are told apart."""
    ticks = axes.linear([1_000_020, 1_000_055], 3, whole=True, from_zero=False).ticks
    assert [formatting.short_number(tick) for tick in ticks] == ["1.00002M", "1.00004M", "1.00006M"]


def test_scale_of_powers() -> None:
    """Zero stands at the beginning, and each step is ten times the one before."""
    assert axes.powers([]).ticks == (0, 10)
    assert axes.powers([5, 4000]).ticks == (0, 100, 10_000)
    assert axes.powers([99_999]).ticks == (0, 10, 1000, 100_000)
    assert (axes.powers([50]).place(0), axes.powers([100]).place(100)) == (0, 1)


def test_scale_of_spans() -> None:
    """From a span that people think in to another."""
    assert [axes.name_span(tick) for tick in axes.spans([90, 7200]).ticks] == ["1 min", "1 h", "1 d"]
    assert [axes.name_span(tick) for tick in axes.spans([]).ticks] == ["1 s", "1 min"]
    assert [axes.name_span(tick) for tick in axes.spans([-5, 1e18]).ticks][-1] == "1 y"
    assert axes.spans([60]).place(1e18) == 1
