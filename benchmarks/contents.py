"""The contents of reports: one request each, by one reader and by several, and the memory that many of them take."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, compare, cost_cells, table
from local_api import run_sandbox
from measuring import measure
from programs import connector

SECONDS = 0.2
SLOW, MANY = 2_900, 100_000
ALL = ("--contents", "all", "--contents-per-run", "1000000")
ONE, EIGHT = connector("1 reader", *ALL, "--workers", "1"), connector("8 readers", *ALL)
WITHOUT = connector("without contents", "--contents", "never")
LATE, AT_ONCE = "answers 0.2 s late", "answers at once"


def run(sizes: Sizes) -> Figures:
    """Measure a first load with all contents of slow answers, and of many reports."""
    figures = Figures()
    for what, reports, programs, options in (
        (LATE, SLOW, (WITHOUT, EIGHT, ONE), ("--latency-seconds", str(SECONDS))),
        (AT_ONCE, MANY, (WITHOUT, EIGHT), ()),
    ):
        with (
            run_sandbox(sizes.of(1_000), *options, reports=sizes.of(reports)) as sandbox,
            TemporaryDirectory() as place,
        ):
            for program in programs:
                folder = Path(place, program.name)
                folder.mkdir()
                asked = len(sandbox.requests())
                figures.add(program.name, what, sizes.of(reports), measure(program.command, folder, sandbox.base_url))
                figures.facts[f"{program.name}, {what}"] = len(sandbox.requests()) - asked
    return figures


def tabulate(figures: Figures) -> list[str]:
    """A row for each program and API."""
    heads = ["", "reports", "wall s / CPU s / peak MB", "requests"]
    rows = [
        [f"{f.program}, {f.what}", f"{f.tickets:,}", cost_cells(f), f"{figures.facts[f'{f.program}, {f.what}']:,}"]
        for f in figures.measured
    ]
    return table(heads, rows)


def judge(figures: Figures) -> list[Verdict]:
    """Several readers help, and memory stays bounded."""
    eight, one = figures.find(EIGHT.name, LATE), figures.find(ONE.name, LATE)
    verdicts = compare(
        "Contents, answers 0.2 s late: 8 readers take at most a quarter of 1 reader's time", eight, one, 0.25
    )
    many = figures.find(EIGHT.name, AT_ONCE)
    if many is not None:
        told = f"{many.memory:.0f} MB"
        verdicts.append(Verdict("… of 100,000 reports: at most 300 MB", told, many.memory <= 300))
    return verdicts


CONTENTS = Benchmark(
    "contents",
    "Contents of reports",
    "First loads with the contents of all completed reports, one request each, and without.",
    run,
    tabulate,
    judge,
)
