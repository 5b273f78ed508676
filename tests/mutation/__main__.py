"""Breaks the reading in one place at a time, and tells which breaks no test of the modules and no world sees.

Each mutant is tried in a process of its own, forked from one that has imported everything.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from tests.mutation.places import Mutant, list_mutants
from tests.mutation.session import Figures, Items, SeenBy, call_in_fork, collect, try_each
from tests.mutation.survivors import read_survivors

# Imported before the first fork: they take seconds, and know nothing of the modules that are changed.
HEAVY = (
    "dlt", "dlt.destinations", "duckdb", "pyarrow.compute", "orjson", "requests", "sqlglot", "click", "coverage",
    "pytest",
)  # fmt: skip
FOLDERS = ("tests/unit/extract", "tests/unit/reconcile", "tests/unit/engine")
WORLDS = 375
WORLDS_OUTSIDE = 125
NOTHING = SeenBy.NOTHING.name.lower()


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, help="try some mutants, drawn by lot")
    parser.add_argument("--seed", type=int, default=0, help="what decides which")
    parser.add_argument("--only", default="", help="a pattern that its name, as it is printed, holds")
    parser.add_argument("--worlds", type=int, default=WORLDS, help="how many worlds are played with each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    mutants = [mutant for mutant in list_mutants() if re.search(options.only, mutant.name)]
    if options.sample and options.sample < len(mutants):
        mutants = Random(options.seed).sample(mutants, options.sample)
    for name in HEAVY:
        importlib.import_module(name)
    began, seen, listed, wrong = time.monotonic(), Counter[str](), read_survivors(), []
    for mutant, seen_by in try_all(mutants, options.worlds, options.jobs):
        seen[seen_by] += 1
        verdict = judge_result(mutant.name in listed, seen_by)
        wrong += [mutant] if verdict else []
        print(f"{seen_by:8} {mutant.name} (line {mutant.line}){verdict}", flush=True)
    missed = seen.pop(NOTHING, 0)
    told = ", ".join(f"{count} by {what}" for what, count in seen.most_common())
    share = 100 * seen.total() / max(1, len(mutants))
    print(f"{seen.total()} of {len(mutants)} mutants are seen ({share:.1f} %: {told}), {missed} by nothing", end="")
    print(f" in {time.monotonic() - began:.0f} s; {len(wrong)} stand wrongly in survivors.toml, or not at all")
    return int(bool(wrong))


def judge_result(listed: bool, seen_by: str) -> str:
    """What is wrong with the list of survivors, for the end of a mutant's line; empty if nothing is."""
    if seen_by == NOTHING:
        return "" if listed else ": not in survivors.toml"
    return ": take it off survivors.toml" if listed else ""


def try_all(mutants: Sequence[Mutant], worlds: int, jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Try mutants.

    Yields:
        Each with what shows it.
    """
    inside = [mutant for mutant in mutants if mutant.function]
    outside = [mutant for mutant in mutants if not mutant.function]
    results = call_in_fork(lambda send: _try_inside(inside, worlds, jobs, send))
    figures: Figures = next(results)
    yield from results
    # Other modules hold what a module made when it was imported; so these are tried before they have imported it.
    yield from try_each(outside, jobs, lambda mutant: _try_outside(mutant, figures))


def _try_inside(mutants: Sequence[Mutant], worlds: int, jobs: int, send: Callable[[Any], None]) -> None:
    """Try mutants inside of functions, in forks of a process that has imported and collected everything."""
    from tests.mutation.reach import measure
    from tests.mutation.swap import swap_function
    from tests.mutation.tries import try_mutant

    def work(items: Items) -> None:
        (reach,) = call_in_fork(lambda send_reach: send_reach(measure(list(items.values()), worlds)))
        send(reach.figures)

        def attempt(mutant: Mutant) -> SeenBy:
            swap_function(mutant)
            return try_mutant(mutant, items, reach)

        for result in try_each(mutants, jobs, attempt):
            send(result)

    collect(FOLDERS, work)


def _try_outside(mutant: Mutant, figures: Figures) -> SeenBy:
    """Try a mutant outside of functions with the tests of its folder and some worlds."""
    from tests.mutation.swap import swap_module

    swap_module(mutant)
    found = [SeenBy.NOTHING]

    def work(items: Items) -> None:
        from tests.mutation.tries import try_tests, try_worlds

        found.append(try_tests(list(items.values())))
        if found[-1] is SeenBy.NOTHING:
            found.append(try_worlds(list(figures)[:WORLDS_OUTSIDE], figures))

    collect([f"tests/unit/{mutant.folder}"], work)
    return found[-1]


if __name__ == "__main__":
    sys.exit(main())
