"""`cogny runs`: the last runs of a dataset, and one of them whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cogny_source.schema import SYNC_RUNS
from tests.support.syncs import Script

Ask = Callable[[str], list[tuple[object, ...]]]
PARQUET = ("parquet", "--bucket-url", "exports")


def list_runs(cogny: Script, *arguments: str) -> list[dict[str, Any]]:
    """The runs as JSON."""
    told: list[dict[str, Any]] = json.loads(cogny("runs", *arguments, "--format", "json").stdout)
    return told


@pytest.mark.parametrize("place", [("duckdb",), PARQUET])
def test_runs_are_listed_newest_first(cogny: Script, place: tuple[str, ...]) -> None:
    """Each with the sums of its resources, in JSON with all columns of `sync_runs`."""
    cogny("sync", *place)
    cogny("sync", *place, "--resources", "tickets")
    newest, oldest = list_runs(cogny, *place)
    assert [part["resource"] for part in oldest["resources"]] == ["tickets", "reports", "warehouses", "report_contents"]
    [tickets] = newest["resources"]
    assert set(tickets) == {column.name for column in SYNC_RUNS.columns} - {"run_id", "_dlt_load_id"}
    assert (newest["status"], newest["errors"], newest["rows"]) == ("done", [], tickets["rows"])
    assert newest["requests"] == tickets["requests"]
    assert newest["seconds"] is not None
    lines = cogny("runs", *place).stdout.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == [run["run_id"][:8] for run in (newest, oldest)]
    assert len(list_runs(cogny, *place, "--limit", "1")) == 1


def test_one_run_is_shown_whole_by_the_beginning_of_its_id(cogny: Script) -> None:
    """Each resource with its figures; what begins no id, or several, is told."""
    cogny("sync")
    [run] = list_runs(cogny)
    told = cogny("runs", "--run", run["run_id"][:6].upper()).stdout
    assert told.count(run["run_id"]) == 4
    assert [line.split()[1] for line in told.splitlines() if line.startswith("resource ")] == [
        "tickets",
        "reports",
        "warehouses",
        "report_contents",
    ]
    assert json.loads(cogny("runs", "--run", run["run_id"], "--format", "json").stdout) == run
    other = "0" if run["run_id"][0] != "0" else "1"
    assert f"no run's id begins with {other};" in cogny("runs", "--run", other, expect=2).stderr
    assert "begins no id of a run" in cogny("runs", "--run", "x' OR 1=1", expect=2).stderr


def test_an_id_that_is_not_told_apart_is_refused(cogny: Script, ask: Ask) -> None:
    """Rather than one of both shown."""
    cogny("sync", "--resources", "tickets")
    ask("INSERT INTO cogny_data.sync_runs BY NAME SELECT * REPLACE (run_id || 'a' AS run_id) FROM cogny_data.sync_runs")
    [run, _] = list_runs(cogny)
    shared = run["run_id"][:6]
    assert f"the ids of several runs begin with {shared};" in cogny("runs", "--run", shared, expect=2).stderr


def test_failures_alone_are_listed_with_their_sentence(cogny: Script) -> None:
    """A run that could not load its record is in the journal, and told as well."""
    cogny("sync", "--resources", "tickets")
    assert list_runs(cogny, "--failed") == []
    cogny("sync", "--resources", "tickets", expect=2, SOURCES__COGNY__API_KEY="sk_live_wrong")
    [failed] = list_runs(cogny, "--failed")
    assert failed["status"] == "failed"
    assert "401" in failed["errors"][0]
    told = cogny("runs", "--failed").stdout.splitlines()
    assert "1 row." in told
    assert told[-1].startswith(f"{failed['run_id'][:8]}: ")


def test_a_record_of_an_earlier_version_is_listed(cogny: Script, ask: Ask) -> None:
    """Columns that it lacks are null."""
    cogny("sync")
    ask("ALTER TABLE cogny_data.sync_runs DROP COLUMN corrections")
    ask("ALTER TABLE cogny_data.sync_runs DROP COLUMN status")
    [run] = list_runs(cogny)
    assert run["status"] == "unknown"
    assert [part["corrections"] for part in run["resources"]] == [None] * 4
    assert list_runs(cogny, "--failed") == [run]


def test_where_nothing_was_synced_it_is_said(cogny: Script) -> None:
    """With the place."""
    assert "nothing was synced there yet" in cogny("runs", expect=2).stderr
