"""The results as a page: each benchmark's table, and each target beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from figures import Benchmark, Figures, Verdict, table

HEAD = [
    "# Results",
    "",
    "Written by `make bench`; [README.md](README.md) tells how to read this, and what it does not say.",
    "",
]


def write_report(path: Path, results: dict[str, Any], benchmarks: Sequence[Benchmark], plot: str | None) -> None:
    """Write the page.

    Args:
        path: Where to.
        results: What was measured: the machine, and by benchmark the figures and the moment.
        benchmarks: In the order of the page.
        plot: The picture's file name; None for none.
    """
    lines = [*HEAD, *table(["machine", ""], [list(item) for item in results["machine"].items()]), ""]
    if results["divisor"] != 1:
        lines += [f"**All sizes are divided by {results['divisor']}: a try, not a measurement.**", ""]
    measured = [benchmark for benchmark in benchmarks if benchmark.name in results["benchmarks"]]
    chapters = [_chapter(benchmark, results["benchmarks"][benchmark.name]) for benchmark in measured]
    lines += ["## Targets", "", *_targets(results, measured), ""]
    if plot is not None:
        lines += [f"![Rows against seconds]({plot})", ""]
    for chapter in chapters:
        lines += chapter
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _targets(results: dict[str, Any], measured: Sequence[Benchmark]) -> list[str]:
    verdicts: list[Verdict] = []
    for benchmark in measured:
        verdicts += benchmark.judge(Figures.from_dict(results["benchmarks"][benchmark.name]["figures"]))
    rows = [[verdict.target, verdict.measured, "met" if verdict.is_met else "**not met**"] for verdict in verdicts]
    return table(["target", "measured", ""], rows)


def _chapter(benchmark: Benchmark, result: dict[str, Any]) -> list[str]:
    figures = Figures.from_dict(result["figures"])
    moment = f"Measured {result['date']}, commit {result['commit']}, in {result['seconds']:.0f} s."
    missing = [f"- {reason}" for reason in figures.missing]
    lines = [f"## {benchmark.title}", "", benchmark.method, "", *benchmark.tabulate(figures), ""]
    return [*lines, *(["Not measured:", "", *missing, ""] if missing else []), moment, ""]
