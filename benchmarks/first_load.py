"""A first load, and one without news, into each local destination, against a bare download of the same pages.

Wall and CPU time and peak memory of whole processes, in one run: python benchmarks/first_load.py --tickets 100000
"""

from __future__ import annotations

import argparse
import sys
import tempfile

from measuring import ROOT, download, measure, report, run_sandbox

DESTINATIONS = {
    "DuckDB": ["cogny_to_duckdb.py"],
    "Parquet": ["cogny_to_parquet.py", "--bucket-url", "parquet"],
    "Delta": ["cogny_to_parquet.py", "--bucket-url", "delta", "--table-format", "delta"],
}


def main() -> None:
    """Run all, print a line each and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    tickets = parser.parse_args().tickets
    with run_sandbox(tickets) as base_url, tempfile.TemporaryDirectory() as folder:
        bare = measure(download(base_url), folder, base_url)
        report("bare download", bare, bare)
        for name, (script, *arguments) in DESTINATIONS.items():
            command = [sys.executable, str(ROOT / "pipelines" / script), *arguments, "--quiet"]
            for what in ("first load", "no change"):
                report(f"{name}, {what}", measure(command, folder, base_url), bare)


if __name__ == "__main__":
    main()
