"""A first load by each program, at several sizes: wall and CPU seconds and peak memory of whole processes."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from local_api import run_sandbox
from measuring import measure
from programs import EVERYBODY


def main() -> None:
    """Run all, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    tickets = parser.parse_args().tickets
    with run_sandbox(tickets) as sandbox, TemporaryDirectory() as place:
        for program in EVERYBODY:
            folder = Path(place, program.name)
            folder.mkdir()
            for what in ("first load", "no change") if program.syncs else ("first load",):
                cost = measure(program.command, folder, sandbox.base_url)
                print(f"{program.name:20} {what:12} {cost.wall:7.2f} s {cost.cpu:7.2f} s CPU {cost.memory:6.0f} MB")


if __name__ == "__main__":
    main()
