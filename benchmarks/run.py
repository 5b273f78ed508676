"""The suite: measures, keeps the figures in results.json, and writes RESULTS.md and the picture from them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from budget import BUDGET
from contents import CONTENTS
from destinations import DESTINATIONS
from figures import Benchmark, Figures, Sizes
from latency import LATENCY
from loads import LOADS
from machine import describe_machine, describe_moment
from measuring import ROOT, Failed
from million import MILLION
from report import write_report
from requests_needed import REQUESTS

BENCHMARKS = (LOADS, MILLION, LATENCY, CONTENTS, BUDGET, REQUESTS, DESTINATIONS)
PICTURE = "rows_against_seconds.png"


def main() -> None:
    """Run what was asked for."""
    asked = _read_arguments()
    asked.output.mkdir(parents=True, exist_ok=True)
    path = asked.output / "results.json"
    results = _open_results(path, asked.scale)
    for benchmark in BENCHMARKS:
        if benchmark.name in asked.only:
            print(f"== {benchmark.title}", flush=True)
            results["benchmarks"][benchmark.name] = _measure(benchmark, Sizes(asked.scale))
            path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_report(asked.output / "RESULTS.md", results, BENCHMARKS, _draw(results, asked.output))


def _read_arguments() -> argparse.Namespace:
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=names, help=f"of {','.join(names)}")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="divide all sizes by N, for a quick try")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks", metavar="FOLDER", help="for the results")
    parser.add_argument("--render", action="store_true", help="measure nothing; write the page from results.json")
    asked = parser.parse_args()
    if set(asked.only) - set(names):
        parser.error(f"--only takes {','.join(names)}")
    if asked.render:
        asked.only = []
    return asked


def _open_results(path: Path, divisor: int) -> dict[str, Any]:
    """What was measured before at the same sizes on the same machine, or nothing."""
    machine = describe_machine()
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (kept["machine"], kept["divisor"]) == (machine, divisor):
            return kept
        sys.stderr.write("the results that are there are of another machine, version or scale, and make way\n")
    return {"machine": machine, "divisor": divisor, "benchmarks": {}}


def _measure(benchmark: Benchmark, sizes: Sizes) -> dict[str, Any]:
    moment, began = describe_moment(), time.monotonic()
    try:
        figures = benchmark.run(sizes)
    except Failed as failure:
        raise SystemExit(f"{benchmark.name}: {failure}") from failure
    return {**moment, "seconds": round(time.monotonic() - began), "figures": figures.as_dict()}


def _draw(results: dict[str, Any], output: Path) -> str | None:
    """Draw the picture where there is something to draw, and something to draw it with; its file name."""
    if LOADS.name not in results["benchmarks"] or find_spec("matplotlib") is None:
        return None
    from plot import draw

    draw(Figures.from_dict(results["benchmarks"][LOADS.name]["figures"]), output / PICTURE)
    return PICTURE


if __name__ == "__main__":
    main()
