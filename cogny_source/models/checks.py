"""Runs the data tests: the rules that hold for the models, and the rows that break them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cogny_source.destinations.model_store import ModelStore
from cogny_source.errors import ConfigError
from cogny_source.models.project import DataTest, read_project
from cogny_source.models.rendering import Renderer

ROWS_TOLD = 5
# The row in which a build notes its variables.
BUILD = "int_cogny__as_of"
VARIABLES = {
    "time_zone": "cogny_timezone",
    "week_start": "cogny_week_start",
    "freshness_hours": "cogny_freshness_hours",
}


@dataclass(frozen=True)
class Outcome:
    """What a test found.

    Attributes:
        test: The test.
        count: How many rows break the rule.
        columns: The columns of those rows.
        rows: The first of them.
    """

    test: DataTest
    count: int
    columns: list[str]
    rows: list[tuple[Any, ...]]

    @property
    def level(self) -> str:
        """`ok`, or the test's severity if it found a row."""
        return self.test.severity if self.count else "ok"


def open_built(store: ModelStore) -> Renderer:
    """A renderer with the variables that the models were built with.

    Raises:
        ConfigError: If no models are built.
    """
    if not store.has(BUILD):
        raise ConfigError("there are no models: run `cogny models build` with the same options first")
    names = ", ".join(VARIABLES)
    _, [values] = store.query(f"SELECT {names} FROM {store.model(BUILD)}")
    return Renderer(read_project(), store, dict(zip(VARIABLES.values(), values, strict=True)))


def run_tests(store: ModelStore) -> Iterator[Outcome]:
    """Run all data tests on the models as they are built.

    Raises:
        ConfigError: If no models are built.
        LoadFailed: If the destination refuses a query, such as for a model that an earlier version did not have.
    """
    renderer = open_built(store)
    for test in read_project().all_tests:
        sql = renderer.render_test(test).sql
        columns, rows = store.query(f"SELECT * FROM (\n{sql}\n) AS broken LIMIT {ROWS_TOLD}")
        count = len(rows)
        if count == ROWS_TOLD:
            _, [(count,)] = store.query(f"SELECT count(*) FROM (\n{sql}\n) AS broken")
        yield Outcome(test, int(count), columns, rows)
