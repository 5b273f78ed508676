"""First load, no change and 1,100 changes, by each program: what the account's whole life costs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, compare, cost_cells, table
from local_api import Sandbox, run_sandbox
from measuring import Failed, measure
from programs import BARE, CONNECTOR, DLT_DEFAULT, DLT_PARQUET, EVERYBODY, FLOOR, PLAIN_CONNECTOR, Program

SIZES = (1_000, 10_000, 100_000)
CREATED, CHANGED = 100, 1_000
FIRST, QUIET, NEWS = "first load", "no change", "1,100 changes"
IMPORTS = "imports alone"
REFERENCE = [sys.executable, "-c", "import dlt, duckdb, pyarrow"]
# The world moves on by a second of its own; the clock has to be past that before anybody asks.
SETTLE_SECONDS = 1.5
REPEATS = 3
IN_THE_PICTURE = (DLT_DEFAULT.name, DLT_PARQUET.name, CONNECTOR.name, BARE.name)
# The small sizes too are for these.
EVERYWHERE = (*IN_THE_PICTURE, FLOOR.name)


def run(sizes: Sizes) -> Figures:
    """Measure all programs at all sizes, and at the largest what comes after the first load."""
    figures = Figures()
    for program in EVERYBODY:
        if not program.is_installed:
            figures.miss(f"{program.name}: not installed; `make peers` would")
    for size in SIZES:
        largest = size == SIZES[-1]
        with run_sandbox(sizes.of(size), reports=sizes.of(2_000)) as sandbox, TemporaryDirectory() as place:
            chosen = [
                program for program in EVERYBODY if program.is_installed and (largest or program.name in EVERYWHERE)
            ]
            _run_size(figures, sandbox, chosen, Path(place), later=largest)
    return figures


def _run_size(figures: Figures, sandbox: Sandbox, programs: list[Program], place: Path, *, later: bool) -> None:
    for program in programs:
        (place / program.name).mkdir()
        _note(figures, program, FIRST, sandbox, place)
    if not later:
        return
    for _ in range(REPEATS):
        figures.add(IMPORTS, QUIET, sandbox.tickets, measure(REFERENCE, place, sandbox.base_url))
    keepers = [program for program in programs if program.database]
    for program in keepers:
        _note(figures, program, QUIET, sandbox, place)
    sandbox.change(CREATED, CHANGED)
    time.sleep(SETTLE_SECONDS)
    for program in keepers:
        _note(figures, program, NEWS, sandbox, place)
    there = sandbox.count("tickets")
    held = {program.name: program.count_tickets(place / program.name) for program in keepers}
    figures.facts.setdefault("tickets lost", {}).update({name: there - count for name, count in held.items()})


def _note(figures: Figures, program: Program, what: str, sandbox: Sandbox, place: Path) -> None:
    try:
        cost = measure(program.command, place / program.name, sandbox.base_url)
    except Failed as failure:
        figures.miss(f"{program.name}, {what}: {failure}")
        return
    figures.add(program.name, what, sandbox.tickets, cost)


def tabulate(figures: Figures) -> list[str]:
    """A row for each program: its largest first load, and what came after."""
    lost = figures.facts.get("tickets lost", {})
    rows = []
    for program in EVERYBODY:
        first = figures.find(program.name, FIRST)
        if first is None:
            continue
        later = [cost_cells(figures.find(program.name, what)) for what in (QUIET, NEWS)]
        missing = f"{lost[program.name]:,}" if program.name in lost else ""
        rows.append([program.name, f"{first.tickets:,}", cost_cells(first), *later, missing])
    reference = _reference(figures)
    if reference is not None:
        rows.append([f"`{REFERENCE[-1]}`", "", "", f"{reference:.1f}", "", ""])
    return table(["wall s / CPU s / peak MB", "tickets", FIRST, QUIET, NEWS, "tickets lost"], rows)


def judge(figures: Figures) -> list[Verdict]:
    """Targets 1 and 5."""
    ours, floor = figures.find(CONNECTOR.name, FIRST), figures.find(FLOOR.name, FIRST)
    verdicts = [
        *compare("First load: at most 2 times the floor", ours, floor, 2.0),
        *compare("… the goal after that: 1.3 times", ours, floor, 1.3),
        *compare(
            "… without history, which the floor has none of: 1.3 times",
            figures.find(PLAIN_CONNECTOR.name, FIRST),
            floor,
            1.3,
        ),
        *compare("… at most a third of dlt with Parquet", ours, figures.find(DLT_PARQUET.name, FIRST), 1 / 3),
        *compare("… at most a fifteenth of dlt as it comes", ours, figures.find(DLT_DEFAULT.name, FIRST), 1 / 15),
    ]
    if ours is not None:
        verdicts.append(Verdict("… at most 300 MB", f"{ours.memory:.0f} MB", ours.memory <= 300))
    return verdicts + _judge_later(figures)


def _judge_later(figures: Figures) -> list[Verdict]:
    reference = _reference(figures)
    verdicts = []
    for what, most in ((QUIET, 0.7), (NEWS, 1.0)):
        ours = figures.find(CONNECTOR.name, what)
        if ours is not None and reference is not None:
            above = ours.wall - reference
            told = f"{above:.2f} s ({ours.wall:.2f} s - {reference:.2f} s)"
            verdicts.append(Verdict(f"{what}: at most {most} s above the imports alone", told, above <= most))
    return verdicts


def _reference(figures: Figures) -> float | None:
    """The median at the largest size, which is where this connector is held against it."""
    latest = figures.find(IMPORTS, QUIET)
    if latest is None:
        return None
    same = [f.wall for f in figures.measured if (f.program, f.tickets) == (IMPORTS, latest.tickets)]
    return median(same)


LOADS = Benchmark(
    "loads",
    "First load, no change, 1,100 changes",
    "Each program loads tickets, 2,000 reports and 12 warehouses with their lists into a database of its own; then "
    "once more with nothing new; then after 100 tickets appeared and 1,000 changed. One run each, one program after "
    "another; the imports alone are the median of three. The bare download keeps nothing: it is the time of the "
    "requests. No peer keeps a history of versions, as this connector does unless told otherwise.",
    run,
    tabulate,
    judge,
)
