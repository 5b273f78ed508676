"""How many small worlds each part has, and how many of them belong to a named class; these numbers may only fall."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.simulation.small import SmallTally

PATH = Path(__file__).with_name("small_figures.json")
# Part to its worlds, and to the number of worlds in each class.
Figures = dict[int, dict[str, Any]]


def read_figures() -> Figures:
    """The figures of each part."""
    return {int(number): told for number, told in json.loads(PATH.read_text(encoding="utf-8")).items()}


def note_figures(found: Mapping[int, SmallTally]) -> None:
    """Write down what was found for some parts."""
    figures = read_figures() | {number: _describe(tally) for number, tally in found.items()}
    lines = [f'"{number}": {json.dumps(figures[number], sort_keys=True)}' for number in sorted(figures)]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def describe_deviations(found: Mapping[int, SmallTally], figures: Figures) -> list[str]:
    """The parts in which other numbers of worlds were found than are written down; a part without figures has none."""
    return [
        f"part {number}: {_describe(tally)} in place of {figures[number]}"
        for number, tally in found.items()
        if number in figures and _describe(tally) != figures[number]
    ]


def _describe(tally: SmallTally) -> dict[str, Any]:
    return {"worlds": tally.worlds, "classes": dict(tally.limits)}
