"""What a row costs on its way to each destination, and how much of that is spent before the destination's own work."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, table
from local_api import run_sandbox
from measuring import ROOT, measure
from programs import BARE, CONNECTOR, FLOOR, Program, pipeline

SMALL, LARGE = 1_000, 50_000
EXTRACT = (sys.executable, str(ROOT / "benchmarks" / "extract_only.py"))
DELTA = ("--bucket-url", "delta", "--table-format", "delta")
PROGRAMS = (
    BARE,
    FLOOR,
    Program("to the Parquet files that dlt loads", (*EXTRACT, "duckdb")),
    Program("to the JSON files that BigQuery loads", (*EXTRACT, "bigquery")),
    Program("whole, into DuckDB", CONNECTOR.command),
    Program("whole, into a folder of Parquet files", pipeline("cogny_to_parquet", "--bucket-url", "parquet")),
    Program("whole, into Delta tables", pipeline("cogny_to_parquet", *DELTA)),
)
WHAT = "first load"


def run(sizes: Sizes) -> Figures:
    """Measure each at two sizes: the difference leaves out what each process takes whatever it loads."""
    figures = Figures(facts={"sizes": [sizes.of(SMALL), sizes.of(LARGE)]})
    for tickets in figures.facts["sizes"]:
        with run_sandbox(tickets, reports=sizes.of(2_000)) as sandbox, TemporaryDirectory() as place:
            for program in PROGRAMS:
                folder = Path(place, program.name)
                folder.mkdir()
                figures.add(program.name, WHAT, tickets, measure(program.command, folder, sandbox.base_url))
    return figures


def tabulate(figures: Figures) -> list[str]:
    """A row for each way."""
    small, large = figures.facts["sizes"]
    rows = []
    for program in PROGRAMS:
        little, much = (figures.find(program.name, WHAT, tickets) for tickets in (small, large))
        if little is not None and much is not None:
            each = [(getattr(much, unit) - getattr(little, unit)) / (large - small) * 1e6 for unit in ("wall", "cpu")]
            rows.append([program.name, *(f"{micros:.1f}" for micros in each), f"{little.wall:.1f}"])
    return table(["", "µs a ticket", "µs CPU a ticket", f"s for the first {small:,}"], rows)


def judge(figures: Figures) -> list[Verdict]:  # noqa: ARG001 - target 7 asks for figures, not for a bound
    """Nothing: these figures are for reading."""
    return []


DESTINATIONS = Benchmark(
    "destinations",
    "Destinations",
    f"The time of {LARGE:,} tickets less that of {SMALL:,}, divided by the tickets between: what a ticket more costs, "
    "with its list and its version in the history. Where nothing is loaded, rows are read, made into the tables and "
    "written to the files that dlt would load, all in one package; the rest is the destination's own work. BigQuery's "
    "own is Google's, and is not measured.",
    run,
    tabulate,
    judge,
)
