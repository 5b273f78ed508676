"""A large account: whether time and memory a row stay what they are, and what a few changes cost in a large table."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, cost_cells, table
from loads import FIRST, SETTLE_SECONDS
from local_api import run_sandbox
from measuring import measure
from programs import CONNECTOR

SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000
MERGE = "1,000 changes"


def run(sizes: Sizes) -> Figures:
    """Load each size, and 1,000 changes into it."""
    figures = Figures(facts={"sizes": [sizes.of(size) for size in (SMALL, MIDDLE, LARGE)]})
    for tickets in figures.facts["sizes"]:
        with run_sandbox(tickets, reports=sizes.of(2_000)) as sandbox, TemporaryDirectory() as place:
            for what in (FIRST, MERGE):
                if what == MERGE:
                    sandbox.change(0, 1_000)
                    time.sleep(SETTLE_SECONDS)
                cost = measure(CONNECTOR.command, Path(place), sandbox.base_url)
                figures.add(CONNECTOR.name, what, tickets, cost)
    return figures


def tabulate(figures: Figures) -> list[str]:
    """A row for each size."""
    rows = []
    for tickets in figures.facts["sizes"]:
        first, merge = (figures.find(CONNECTOR.name, what, tickets) for what in (FIRST, MERGE))
        if first is not None:
            each = f"{first.wall / tickets * 1e6:.1f}"
            rows.append([f"{tickets:,}", cost_cells(first), each, cost_cells(merge)])
    return table(["tickets", "first load, wall s / CPU s / peak MB", "µs a ticket", MERGE], rows)


def judge(figures: Figures) -> list[Verdict]:
    """Target 2."""
    small, middle, large = (figures.find(CONNECTOR.name, FIRST, tickets) for tickets in figures.facts["sizes"])
    little, much = (figures.find(CONNECTOR.name, MERGE, figures.facts["sizes"][place]) for place in (0, 2))
    if not (small and middle and large and little and much):
        return []
    ratio = (large.wall / large.tickets) / (middle.wall / middle.tickets)
    more = much.wall - little.wall
    return [
        Verdict(f"Time a ticket: at most 1.15 times that at {MIDDLE:,}", f"{ratio:.2f}", ratio <= 1.15),
        Verdict("… at most 300 MB", f"{large.memory:.0f} MB", large.memory <= 300),
        Verdict(f"{MERGE}: at most 0.5 s more than into {SMALL:,}", f"{more:.2f} s", more <= 0.5),
    ]


MILLION = Benchmark(
    "million",
    "A million tickets",
    "First loads of three sizes by this connector, and 1,000 changes into each. The time includes the process's start.",
    run,
    tabulate,
    judge,
)
