"""A key of 1,000 requests a minute: how much of each window is used, and how often the limit is run into."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures import Benchmark, Figures, Sizes, Verdict, table
from local_api import run_sandbox
from measuring import start
from programs import CONNECTOR

KEY = "sk_live_enterprise_sandbox"
LIMIT = 1_000
WINDOW_SECONDS = 60
# A part of a window, two whole ones, and something for the one after them, lest the second be cut short.
TICKETS = 300_000
LATENCY = ["--latency-seconds", "0.2"]
# Where no header tells it, the limit has to be set; 100 a minute is taken for granted.
TOLD = {"SOURCES__COGNY__REQUESTS_PER_MINUTE": str(LIMIT)}
# A load that does not use its windows is ended, lest it take an hour; its windows then show it.
PATIENCE_SECONDS = 300
CASES = {"with headers": ["--rate-headers"], "without headers": ["--no-rate-headers"]}


def run(sizes: Sizes) -> Figures:
    """Load from two sandboxes side by side; both loads wait most of the time."""
    figures = Figures()
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory()))
        sandboxes = {
            case: stack.enter_context(run_sandbox(sizes.of(TICKETS), *LATENCY, *options, reports=sizes.of(2_000)))
            for case, options in CASES.items()
        }
        processes = {}
        for case, sandbox in sandboxes.items():
            (place / case).mkdir()
            processes[case] = start(CONNECTOR.command, place / case, sandbox.base_url, KEY, **TOLD)
        deadline = time.monotonic() + PATIENCE_SECONDS
        for case, process in processes.items():
            ending = _wait_until(deadline, process)
            if ending:
                figures.miss(f"{case}: ended with {ending}")
            figures.facts[case] = windows_of(sandboxes[case].requests())
            print(case, figures.facts[case], flush=True)
    return figures


def _wait_until(deadline: float, process: subprocess.Popen[bytes]) -> int:
    """Wait for a process, and end it when time is up; its exit code."""
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()


def windows_of(requests: list[dict[str, Any]]) -> list[dict[str, int]]:
    """How many requests of each window were answered and how many refused; windows begin on the minute."""
    answered = Counter(int(request["time"] // WINDOW_SECONDS) for request in requests if request["status"] != 429)
    refused = Counter(int(request["time"] // WINDOW_SECONDS) for request in requests if request["status"] == 429)
    return [{"answered": answered[window], "refused": refused[window]} for window in sorted(answered | refused)]


def tabulate(figures: Figures) -> list[str]:
    """A row for each window of each case."""
    rows = []
    for case in CASES:
        windows = figures.facts.get(case, [])
        for number, window in enumerate(windows):
            kind = "cut short" if number in (0, len(windows) - 1) else f"full window {number}"
            share = f"{window['answered'] / LIMIT:.1%}"
            rows.append([f"{case}, {kind}", str(window["answered"]), share, str(window["refused"])])
    return table(["", "requests answered", "of the limit", "429s"], rows)


def judge(figures: Figures) -> list[Verdict]:
    """Target 4."""
    verdicts = []
    for case, most in (("with headers", 0), ("without headers", 1)):
        windows = figures.facts.get(case, [])
        full = windows[1:-1][1:]
        if full:
            least = min(window["answered"] for window in full) / LIMIT
            target = f"{case}: at least 95 % of the limit from the second full window on"
            verdicts.append(Verdict(target, f"{least:.1%}", least >= 0.95))
        if windows:
            worst = max(window["refused"] for window in windows)
            target = f"{case}: " + ("no 429" if most == 0 else "at most one 429 a window")
            verdicts.append(Verdict(target, str(worst), worst <= most))
    return verdicts


BUDGET = Benchmark(
    "budget",
    "A key that is limited",
    f"A first load of {TICKETS:,} tickets with a key of {LIMIT:,} requests a minute; each answer comes 0.2 s late. The "
    "server's windows begin on the minute, so the first and the last are cut short. The requests are those that the "
    "server counted. Both cases run side by side.",
    run,
    tabulate,
    judge,
)
