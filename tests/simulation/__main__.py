"""`random` plays random worlds, `replay` one of them again, and `small` every small world."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.simulation.campaign import Tally, describe, describe_failures, describe_scenario, map_on_all_cores, play_all
from tests.simulation.campaign import split_into_batches as split
from tests.simulation.draw import draw_scenario
from tests.simulation.small import SmallTally, explore_group, list_groups, list_parts
from tests.simulation.small_figures import describe_deviations, note_figures, read_figures

REPLAY = ".venv/bin/python -m tests.simulation replay"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    random = commands.add_parser("random", help="play random worlds")
    random.add_argument("--worlds", type=int, default=10_000)
    random.add_argument("--first", type=int, default=0, help="the first seed")
    random.add_argument("--jobs", type=int, help="processes; one a core by default")
    replay = commands.add_parser("replay", help="play the world of a seed again, and shrink it if it fails")
    replay.add_argument("seed", type=int)
    small = commands.add_parser("small", help="play every small world")
    small.add_argument("--first", type=int, default=0, help="the first part")
    small.add_argument("--parts", type=int, default=len(list_parts()), help="how many parts")
    small.add_argument("--jobs", type=int, help="processes; one a core by default")
    small.add_argument("--note", action="store_true", help="note the numbers of worlds, in place of comparing them")
    options = parser.parse_args(arguments)
    if options.command == "replay":
        print(describe(draw_scenario, options.seed, REPLAY))
        return 0
    if options.command == "random":
        return _play_random(range(options.first, options.first + options.worlds), options.jobs)
    return _play_small(
        list(range(len(list_parts())))[options.first :][: options.parts], options.jobs, note=options.note
    )


def _play_random(seeds: range, jobs: int | None) -> int:
    began, tally = time.monotonic(), Tally()
    for part in map_on_all_cores(play_all, [(draw_scenario, batch) for batch in split(seeds)], jobs):
        tally.add(part)
    seconds = time.monotonic() - began
    print(f"{tally.worlds:,} worlds, {tally.runs:,} runs, {tally.requests:,} requests in {seconds:.0f} s")
    for name, count in sorted(tally.limits.items()):
        print(f"  {count:,} worlds needed more than the next sync: {name}")
    if tally.failures:
        print(describe_failures(draw_scenario, tally, REPLAY))
    return int(bool(tally.failures))


def _play_small(parts: list[int], jobs: int | None, *, note: bool) -> int:
    began, tally, found = time.monotonic(), SmallTally(), {}
    groups = list_groups(parts)
    for group, tallies in zip(
        groups, map_on_all_cores(explore_group, [(group,) for group in groups], jobs), strict=True
    ):
        for number, part in zip(group, tallies, strict=True):
            tally.add(part)
            found[number] = part
            told = {**part.limits, **dict.fromkeys(part.failures, "FAILED")}
            print(f"part {number}: {part.worlds:,} worlds, {part.runs:,} runs {told or ''}", flush=True)
    print(f"{tally.worlds:,} small worlds, {tally.runs:,} runs in {time.monotonic() - began:.0f} s")
    for name, count in sorted(tally.limits.items()):
        print(f"  {count:,} worlds needed more than the next sync: {name}")
    for scenario in tally.failures.values():
        print(describe_scenario(scenario))
    if note:
        note_figures(found)
    deviations = describe_deviations(found, read_figures())
    print("\n".join(deviations))
    return int(bool(tally.failures or deviations))


if __name__ == "__main__":
    sys.exit(main())
