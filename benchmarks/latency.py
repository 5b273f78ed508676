"""A first load from an API that takes its time, by one reader and by several, against a bare download.

Wall and CPU time and peak memory of whole processes, in one run: python benchmarks/latency.py --seconds 0.2
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from measuring import ROOT, download, measure, report, run_sandbox


def main() -> None:
    """Run all, print a line each and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=0.2, help="that an answer takes")
    asked = parser.parse_args()
    with (
        run_sandbox(asked.tickets, "--latency-seconds", str(asked.seconds)) as base_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        bare = measure(download(base_url), folder, base_url)
        report("bare download", bare, bare)
        for workers in (1, 2, 4, 8):
            script = [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py"), "--quiet"]
            script += ["--workers", str(workers), "--database", f"{workers}.duckdb"]
            report(f"workers {workers}", measure(script, folder, base_url), bare)


if __name__ == "__main__":
    main()
