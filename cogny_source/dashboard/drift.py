"""Fields of the API that no column declares, as the last runs have seen them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cogny_source.monitoring.run_history import RunHistory


@dataclass(frozen=True)
class Drift:
    """A field of the API that no column declares.

    Attributes:
        resource: The resource.
        name: Its dotted name.
        rows: How many rows had it in the last run that saw it.
        first: When the first run on record that saw it began.
        last: When the last one began.
    """

    resource: str
    name: str
    rows: int
    first: datetime
    last: datetime


def find_drifts(histories: Mapping[str, RunHistory]) -> list[Drift]:
    """The fields without a column that the last runs have seen, by resource and name."""
    found: dict[tuple[str, str], Drift] = {}
    for resource, history in histories.items():
        for run in history.ended:
            for name, rows in run.undeclared_fields.items():
                first = found[resource, name].first if (resource, name) in found else run.started_at
                found[resource, name] = Drift(resource, name, rows, first, run.started_at)
    return [found[key] for key in sorted(found)]
