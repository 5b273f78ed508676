"""Load ids rise above those of a destination, whatever the clock of the machine says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import dlt
import pytest
from dlt.common import time as dlt_time

from cogny_source import cogny_source, sync
from cogny_source.destinations.duckdb.dlt_client import MergingDuckDb
from cogny_source.sandbox import SandboxServer
from tests.support.places import DuckDBPlace, FolderPlace, Place
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact

YEAR_SECONDS = 365 * 86_400


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let dlt forget the ids that this process has made."""
    monkeypatch.setattr(dlt_time.increasing_precise_time, "_last", 0.0)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return monkeypatch


def set_clock(new_process: pytest.MonkeyPatch, ahead_seconds: float) -> None:
    """Begin a process on a machine with such a clock."""
    new_process.setattr(dlt_time.increasing_precise_time, "_last", 0.0)
    new_process.setattr(dlt_time, "precise_time", lambda: time.time() + ahead_seconds)


def change_and_change_back(sandbox: SandboxServer, turn: int) -> None:
    """One warehouse has one of two names in turns; a ticket changes once."""
    key = sandbox.world.rows("warehouses")[0]["id"]
    sandbox.world.patch("warehouses", key, name=f"name {turn % 2}")
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[turn]["id"], title=f"turn {turn}")


@pytest.mark.parametrize("kind", ["duckdb", "parquet", pytest.param("delta", marks=pytest.mark.long)])
def test_clock_that_was_ahead_once_leaves_nothing_stale(
    kind: Literal["duckdb", "parquet", "delta"], sandbox: SandboxServer, tmp_path: Path, new_process: pytest.MonkeyPatch
) -> None:
    """A machine whose clock was a year ahead for one run, and right in each run after it."""
    place: Place = DuckDBPlace(tmp_path) if kind == "duckdb" else FolderPlace(tmp_path, kind)
    for turn, ahead in enumerate([0, YEAR_SECONDS, 0, 0, 0]):
        change_and_change_back(sandbox, turn)
        set_clock(new_process, ahead)
        sync(place.pipeline(), settings_for(sandbox))
        assert_exact(place.ask, sandbox.world)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_plain_runs_rise_too(
    kind: Literal["duckdb", "parquet", "delta"], sandbox: SandboxServer, tmp_path: Path, new_process: pytest.MonkeyPatch
) -> None:
    """A plain `pipeline.run` takes the ids of the destination's states into account."""
    place = FolderPlace(tmp_path, "parquet")
    database = str(tmp_path / "cogny.duckdb")
    settings = settings_for(sandbox)
    for turn, ahead in enumerate([0, YEAR_SECONDS, 0, 0]):
        change_and_change_back(sandbox, turn)
        set_clock(new_process, ahead)
        machine = str(turn)
        pipeline = place.pipeline(machine)
        if kind == "duckdb":
            destination = MergingDuckDb(database)
            pipeline = dlt.pipeline(
                "cogny", str(tmp_path / machine), destination=destination, dataset_name="cogny_data"
            )
        pipeline.run(cogny_source(api_key=settings.api_key, base_url=settings.base_url), loader_file_format="parquet")
        assert_exact(place.ask if kind == "parquet" else DuckDBPlace(tmp_path).ask, sandbox.world)
