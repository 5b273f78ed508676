"""A first load and one without news beside the floor, in seconds: a quick look while one works on the connector."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import Figures
from loads import FIRST, QUIET
from local_api import run_sandbox
from measuring import measure
from programs import BARE, CONNECTOR, FLOOR


def main() -> None:
    """Run all and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    tickets = parser.parse_args().tickets
    figures = Figures()
    with run_sandbox(tickets) as sandbox, TemporaryDirectory() as place:
        for program in (BARE, FLOOR, CONNECTOR):
            folder = Path(place, program.name)
            folder.mkdir()
            for what in (FIRST, QUIET) if program.database else (FIRST,):
                figures.add(program.name, what, tickets, measure(program.command, folder, sandbox.base_url))


if __name__ == "__main__":
    main()
