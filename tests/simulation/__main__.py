"""`python -m tests.simulation` plays random worlds, `small` all small ones; a number after `replay` plays one again."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.campaign import Tally, describe, describe_failures, play_on_all_cores
from tests.simulation.draw import draw_scenario

REPLAY = ".venv/bin/python -m tests.simulation replay"


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    random = commands.add_parser("random", help="play random worlds")
    random.add_argument("--worlds", type=int, default=10_000)
    random.add_argument("--first", type=int, default=0, help="the first seed")
    random.add_argument("--jobs", type=int)
    replay = commands.add_parser("replay", help="play the world of a seed again, and shrink it if it fails")
    replay.add_argument("seed", type=int)
    arguments = parser.parse_args()
    if arguments.command == "replay":
        print(describe(draw_scenario, arguments.seed, REPLAY))
        return 0
    began = time.monotonic()
    tally = play_on_all_cores(draw_scenario, range(arguments.first, arguments.first + arguments.worlds), arguments.jobs)
    _report(tally, time.monotonic() - began)
    if tally.failures:
        print(describe_failures(draw_scenario, tally, REPLAY))
    return int(bool(tally.failures))


def _report(tally: Tally, seconds: float) -> None:
    print(f"{tally.worlds:,} worlds, {tally.runs:,} runs, {tally.requests:,} requests in {seconds:.0f} s")
    for name, count in sorted(tally.limits.items()):
        print(f"  {count:,} worlds needed more than the next sync: {name}")


if __name__ == "__main__":
    sys.exit(main())
