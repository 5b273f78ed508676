"""Figures on the contents of reports."""

from __future__ import annotations

from itertools import pairwise

from cogny_source.dashboard.axes import linear
from cogny_source.dashboard.charts import Bar, columns, grid
from cogny_source.dashboard.content_metrics import CONFIDENCES, Contents
from cogny_source.dashboard.figure import Figure
from cogny_source.dashboard.ticket_metrics import EFFORTS
from cogny_source.destinations.portable_sql import NOT_GIVEN, OTHER
from cogny_source.formatting import count

URGENT = ("critical", "high")


def make_content_figures(contents: Contents | None) -> list[Figure]:
    """Figures on contents; none without contents."""
    return [] if contents is None else [_draw_advice(contents), _draw_confidences(contents)]


def _draw_advice(contents: Contents) -> Figure:
    title = "Recommendations by priority and effort"
    total = sum(map(sum, contents.advice.values()))
    if not total:
        return Figure("advice", title, "No report recommends anything.")
    quick = sum(contents.advice[kind][0] for kind in URGENT if kind in contents.advice)
    told = f"{quick:,} of {count(total, 'recommendation')} {'is' if quick == 1 else 'are'} critical or high"
    reading = f"{told} and of low effort."
    # A column that holds nothing tells nothing: most accounts have neither other efforts nor missing ones.
    efforts = (*EFFORTS, OTHER, NOT_GIVEN)
    shown = [
        place
        for place, effort in enumerate(efforts)
        if effort in EFFORTS or any(counts[place] for counts in contents.advice.values())
    ]
    headings = [efforts[place] for place in shown]
    counts = {kind: [values[place] for place in shown] for kind, values in contents.advice.items()}
    rows = [(kind, *(count(value) for value in values)) for kind, values in counts.items()]
    note = "Of all reports whose content is there. The more a cell holds, the stronger its colour."
    figure = Figure("advice", title, reading, ("priority", *headings), rows, note)
    return figure.illustrate([grid(list(counts.items()), headings)], 24 + 34 * len(rows), "↓ priority · → effort")


def _draw_confidences(contents: Contents) -> Figure:
    title = "Confidence of insights"
    total = sum(contents.confidences)
    if not total:
        return Figure("confidences", title, "No report has an insight.")
    sure = contents.confidences[len(CONFIDENCES)]
    told = f"{sure:,} of {count(total, 'insight')} {'has' if sure == 1 else 'have'} a confidence"
    reading = f"{told} of {CONFIDENCES[-1]} or more."
    between = [f"{low}–{high}" for low, high in pairwise(CONFIDENCES)]
    names = [f"< {CONFIDENCES[0]}", *between, f"≥ {CONFIDENCES[-1]}"]
    numbers = contents.confidences[: len(names)]
    if contents.confidences[-1]:
        names, numbers = [*names, "none"], contents.confidences
    items = [Bar(name, number, count(number)) for name, number in zip(names, numbers, strict=True)]
    rows = [(bar.name, bar.told) for bar in items]
    note = "As the report gives it; a class includes its lower bound."
    figure = Figure("confidences", title, reading, ("confidence", "insights"), rows, note)
    return figure.illustrate([columns(items, linear(numbers, 3, whole=True))], 162, "↑ insights · → confidence")
