"""How many requests a sync takes beside the least that its rows need, by the connector's own account."""

from __future__ import annotations

import time
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Benchmark, Figures, Sizes, Verdict, table
from loads import CHANGED, CREATED, FIRST, NEWS, QUIET, SETTLE_SECONDS
from local_api import run_sandbox
from measuring import measure
from programs import connector

TICKETS = 20_000
PAGE_ROWS = 100
ONE_READER = connector("this connector, 1 reader", "--workers", "1")
ACCOUNT = "SELECT resource, requests, rows FROM cogny_data.sync_runs ORDER BY started_at, resource"


def run(sizes: Sizes) -> Figures:
    """A first load, one without news and one with changes, then what `sync_runs` says of them."""
    figures = Figures()
    with run_sandbox(sizes.of(TICKETS), reports=sizes.of(2_000)) as sandbox, TemporaryDirectory() as place:
        for what in (FIRST, QUIET, NEWS):
            if what == NEWS:
                sandbox.change(CREATED, CHANGED)
                time.sleep(SETTLE_SECONDS)
            asked = len(sandbox.requests())
            cost = measure(ONE_READER.command, Path(place), sandbox.base_url)
            figures.add(ONE_READER.name, what, sandbox.tickets, cost)
            figures.facts[f"{what}, served"] = len(sandbox.requests()) - asked
        told = ONE_READER.query(Path(place), ACCOUNT)
    names = [what for what in (FIRST, QUIET, NEWS) for _ in range(len(told) // 3)]
    figures.facts["sync_runs"] = [[what, *row] for what, row in zip(names, told, strict=True)]
    return figures


def tabulate(figures: Figures) -> list[str]:
    """A row for each resource of each sync."""
    heads = ["", "rows read", "requests", "ceil(rows / 100) + 2"]
    rows = [
        [f"{what}, {resource}", f"{rows:,}", str(requests), str(_most(rows))]
        for what, resource, requests, rows in figures.facts["sync_runs"]
    ]
    return table(heads, rows)


def judge(figures: Figures) -> list[Verdict]:
    """Targets 5 and 6."""
    account = figures.facts["sync_runs"]
    beyond = max(requests - ceil(rows / PAGE_ROWS) for _, _, requests, rows in account)
    quiet = max(requests for what, _, requests, _ in account if what == QUIET)
    hidden = [what for what in (FIRST, QUIET, NEWS) if figures.facts[f"{what}, served"] != _sum(account, what)]
    return [
        Verdict("Never more requests than ceil(rows / 100) + 2 a resource, one reader", f"+ {beyond}", beyond <= 2),
        Verdict("No change: two requests a resource at most", str(quiet), quiet <= 2),
        Verdict("`sync_runs` counts what the server counted", ", ".join(hidden) or "it does", not hidden),
    ]


def _most(rows: int) -> int:
    return ceil(rows / PAGE_ROWS) + 2


def _sum(account: list[list[str | int]], what: str) -> int:
    return sum(int(row[2]) for row in account if row[0] == what)


REQUESTS = Benchmark(
    "requests",
    "Requests",
    f"{TICKETS:,} tickets, 2,000 reports and 12 warehouses, one reader; the figures are those of `sync_runs`, "
    "and held against the server's own count.",
    run,
    tabulate,
    judge,
)
