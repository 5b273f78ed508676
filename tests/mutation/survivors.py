"""The mutants that nothing shows, each with the reason; `make mutants` holds the list against what it finds."""

from __future__ import annotations

import tomllib
from pathlib import Path

PATH = Path(__file__).with_name("survivors.toml")


def read_survivors() -> dict[str, str]:
    """The name of each mutant on the list, to the reason.

    Raises:
        ValueError: If a mutant is on the list twice.
    """
    with PATH.open("rb") as file:
        groups = tomllib.load(file)["survivors"]
    found: dict[str, str] = {}
    for group in groups:
        for name in group["mutants"]:
            if name in found:
                raise ValueError(f"{PATH.name} lists a mutant twice: {name}")
            found[name] = group["reason"]
    return found
