"""The report's pure parts: its answer, words and scales."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from markupsafe import escape

from cogny_source import formatting
from cogny_source.dashboard import axes, charts
from cogny_source.dashboard.page import Content, render
from cogny_source.dashboard.ticket_metrics import Promise, Tickets
from cogny_source.dashboard.trust import tell_answer
from cogny_source.monitoring.health import Level, ResourceFacts
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import DatasetStatus, assess
from cogny_source.plain_text import safe_lines, safe_text

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR_AGO = NOW - timedelta(hours=1)
DONE = Run("r1", "tickets", "incremental", "done", HOUR_AGO, rows=40, live_rows=100, unexplained_rows=0)


def make(*resources: tuple[str, Run | None]) -> DatasetStatus:
    """How a dataset stands whose resources had a run each, or none."""
    facts = [
        ResourceFacts(name, RunHistory((replace(run, resource=name),)), 100, 2, HOUR_AGO)
        if run
        else ResourceFacts(name)
        for name, run in resources
    ]
    return assess(facts, NOW)


def test_answer_is_the_level_of_the_dataset() -> None:
    """With the findings that made it so, and what to do; what was never synced does not count."""
    failed = replace(DONE, status="failed", error="why " * 100)
    answer = tell_answer(make(("tickets", None), ("reports", None)))
    assert (answer.level, answer.title) == (Level.UNSYNCED, "There is no data yet")
    answer = tell_answer(make(("tickets", DONE), ("reports", None)))
    assert (answer.level, answer.title) == (Level.OK, "Yes")
    assert answer.text == "Tickets are at most 1\u00a0h old, and their last runs are done."
    answer = tell_answer(make(("tickets", DONE), ("reports", replace(DONE, unexplained_rows=1))))
    assert (answer.level, answer.title) == (Level.WARN, "With care")
    assert answer.text == "Reports: the API counts 1 row more than the destination holds; run cogny census."
    answer = tell_answer(make(("tickets", replace(DONE, unexplained_rows=1)), ("reports", failed)))
    assert (answer.level, answer.title) == (Level.ERROR, "Not now")
    assert re.fullmatch(
        r"Reports: the last run failed: (why )+wh…; cogny check looks for the cause, cogny sync tries again\.",
        answer.text,
    )


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
def test_linear_scale(values: list[float], options: dict[str, int], ticks: tuple[float, ...]) -> None:
    """Round values hold all values between them, and the ends stand at 0 and 1."""
    found = axes.linear(values, **options)
    assert found.ticks == ticks
    assert (found.place(ticks[0]), found.place(ticks[-1])) == (0, 1)
    assert all(0 <= found.place(value) <= 1 for value in values)


def test_axes_have_few_distinct_names() -> None:
    """Round values between large numbers that are close together are told apart."""
    ticks = axes.linear([1_000_020, 1_000_055], 3, whole=True, from_zero=False).ticks
    assert [formatting.short_number(tick) for tick in ticks] == ["1.00002M", "1.00004M", "1.00006M"]


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


def test_excerpt_is_one_line_that_turns_nothing() -> None:
    """Line ends, control characters and marks that turn directions are left out; a long text is cut."""
    assert formatting.excerpt("a\n\tb\x00c \u202ed\u2066", 20) == "a b c d"
    assert formatting.excerpt("abcdef", 4) == "abc…"


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


@pytest.mark.parametrize(
    "name", ["<script>x</script>", "[/x]", "\x1b[2J", "a\x07\r\x08b", "\u202eb", "\u2028", "\ud800", "='1'!A1"]
)
def test_page_shows_names_as_text(name: str) -> None:
    """A folder, a title, a metric, a sentence of the API: neither markup, nor what turns or ends a line of the page."""
    promise = Promise(name, name, name, 5.0, None, None)
    tickets = Tickets(Counter(open=1), (), {}, {}, (promise,), None)
    status = make(("tickets", replace(DONE, status="failed", error=name)), (name, DONE))
    page = render(Content(name, status, tickets, None))
    page.encode()
    assert safe_lines(page) == page
    assert "<script" not in page
    assert str(escape(safe_text(name))) in page
