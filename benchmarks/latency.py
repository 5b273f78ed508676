"""A first load from an API that takes its time for each answer."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, compare, cost_cells, table
from local_api import run_sandbox
from measuring import measure
from programs import BARE, FLOOR, connector

SECONDS = 0.2
TICKETS = 20_000
ONE, EIGHT = connector("this connector, 1 reader", "--workers", "1"), connector("this connector, 8 readers")
# All other peers take what the floor takes, and more.
PROGRAMS = (EIGHT, ONE, BARE, FLOOR)
WHAT = "first load"


def run(sizes: Sizes) -> Figures:
    """Measure one reader, several, and the best of the others."""
    figures = Figures()
    tickets = sizes.of(TICKETS)
    with (
        run_sandbox(tickets, "--latency-seconds", str(SECONDS), reports=sizes.of(2_000)) as sandbox,
        TemporaryDirectory() as place,
    ):
        for program in PROGRAMS:
            folder = Path(place, program.name)
            folder.mkdir()
            asked = len(sandbox.requests())
            figures.add(program.name, WHAT, tickets, measure(program.command, folder, sandbox.base_url))
            figures.facts[program.name] = len(sandbox.requests()) - asked
    return figures


def tabulate(figures: Figures) -> list[str]:
    """A row for each program."""
    heads = ["", "wall s / CPU s / peak MB", "requests", "requests a second"]
    rows = [
        [f.program, cost_cells(f), str(figures.facts[f.program]), f"{figures.facts[f.program] / f.wall:.1f}"]
        for f in figures.measured
    ]
    return table(heads, rows)


def judge(figures: Figures) -> list[Verdict]:
    """Target 3; the download alone is no peer, but no peer can be quicker."""
    ours, best = figures.find(EIGHT.name, WHAT), figures.find(FLOOR.name, WHAT)
    return compare(f"Answers after {SECONDS} s: at most a fifth of the best peer's time", ours, best, 0.2)


LATENCY = Benchmark(
    "latency",
    "An API that takes its time",
    f"{TICKETS:,} tickets, 2,000 reports and 12 warehouses; each answer comes {SECONDS} s late; the key has no limit. "
    "No other program asks for two pages of one list at a time: each takes at least what the "
    "bare download takes, and the floor is the best of them.",
    run,
    tabulate,
    judge,
)
