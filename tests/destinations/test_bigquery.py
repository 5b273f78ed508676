"""The sync into BigQuery, through dlt's destination and Google's client, against an emulator."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pytest
import requests
from google.cloud.bigquery import LoadJob

from cogny_source import sync
from cogny_source.destinations.bigquery.dlt_client import ScriptJob
from cogny_source.sandbox import SandboxServer, World
from cogny_source.schema import RESOURCE_TABLES, ChildSpec, TableSpec
from tests.support.emulator import Dataset, require_emulator
from tests.support.syncs import KEY, PATIENCE_SECONDS, Begin, settings_for
from tests.support.truth import assert_exact, canonical

WIDE = 123456789012345678901234567890
NASTY = {
    "whole": 1.0, "int64": [2**63 - 1, -(2**63)], "wide": WIDE, "uint64": 2**64 - 1,
    "double": [5e-324, 1.7976931348623157e308], "tiny": -1.5e-7,
    "text": "a\u0000b\n\"\\ 📦 {}", "": {"a.b": None, "A": 1, "a": 2}, "nested": [[[{"x": []}]]],
}  # fmt: skip
# What BigQuery's JSON holds of it.
STORED = NASTY | {"wide": str(WIDE), "uint64": str(2**64 - 1)}


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with 60 tickets, 8 reports and 2 warehouses."""
    with SandboxServer(World(seed=7, tickets=60, reports=8, warehouses=2)) as server:
        yield server


@pytest.fixture
def command(start: Begin, bigquery: Dataset) -> Begin:
    """Start the script into BigQuery with the test's dataset."""
    return partial(start, "cogny_to_bigquery.py", "--dataset", bigquery.name, **bigquery.emulator.variables)


def test_script_brings_odd_values_into_well_laid_tables(
    sandbox: SandboxServer, bigquery: Dataset, command: Begin
) -> None:
    """One run of the script brings what is nasty, proves it, says so, and leaves partitions and descriptions."""
    world = sandbox.world
    key = world.rows("tickets")[5]["id"]
    nasty = world.patch("tickets", key, colour="red", title='a\u0000b\n"\\ 📦', supporting_data=NASTY)
    _assert_told(*command("--verify").communicate(timeout=PATIENCE_SECONDS))
    [[found, extra]] = bigquery.ask(f"SELECT supporting_data, extra FROM tickets WHERE id = '{key}'")
    assert canonical(json.loads(found)) == canonical(STORED)
    assert json.loads(extra) == {"colour": "red"}
    world.put("tickets", nasty | {"supporting_data": STORED})
    assert_exact(bigquery.ask, world)
    _assert_laid_out(bigquery)


def _assert_told(told: str, logged: str) -> None:
    """The summary says that all is verified, and no secret nor remark of Google's; its last line is a query."""
    assert "all as the API lists them" in told, logged
    assert KEY not in told + logged
    assert "UserWarning" not in logged
    _, _, show = told.partition("To ask it: ")
    variables = {"PATH": os.environ["PATH"], "BIGQUERY_EMULATOR_HOST": os.environ["BIGQUERY_EMULATOR_HOST"]}
    shown = subprocess.run([sys.executable, *shlex.split(show)[1:]], env=variables, capture_output=True, text=True)
    assert "in_progress" in shown.stdout, shown.stderr


def _assert_laid_out(bigquery: Dataset) -> None:
    """Partitions, clusters and every description are in BigQuery's own records."""
    with bigquery.emulator.client(bigquery.name) as client:
        tables = {item.table_id: client.get_table(item) for item in client.list_tables(bigquery.name)}
    tickets = tables["tickets"]
    assert (tickets.time_partitioning.field, tickets.time_partitioning.type_) == ("created_at", "MONTH")
    assert tickets.clustering_fields == ["warehouse_id", "status", "priority"]
    assert tables["tickets__action_items"].clustering_fields == ["ticket_id"]
    assert tables["tickets_history"].time_partitioning.field == "updated_at"
    for spec in RESOURCE_TABLES.values():
        parts: tuple[TableSpec | ChildSpec, ...] = (spec, *spec.child_tables)
        for part in parts:
            assert tables[part.name].description == part.description
            described = {field.name: field.description for field in tables[part.name].schema}
            assert described == {column.name: column.description for column in part.columns}


def test_answer_that_is_lost_loads_nothing_twice(
    sandbox: SandboxServer, bigquery: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the line breaks after a load job began, dlt's next attempt takes that job up; late rows are not merged."""
    lost: set[str] = set()
    done, run = LoadJob.done, ScriptJob.run

    def lose(job: LoadJob, **options: Any) -> bool:
        ended = done(job, **options)
        if ended and "_0_jsonl" in job.job_id and job.job_id not in lost:
            lost.add(job.job_id)
            raise requests.ConnectionError("the line broke")
        return ended

    def run_late(job: ScriptJob) -> None:
        """A load job of a run that was killed puts its rows into the staging table only now."""
        if "tickets." in job.file_name():
            staged = f"`{bigquery.name}_staging`.tickets"
            bigquery.ask(f"INSERT INTO {staged} (id, _dlt_load_id) SELECT id, '0' FROM {staged}")
        run(job)

    monkeypatch.setattr(LoadJob, "done", lose)
    monkeypatch.setattr(ScriptJob, "run", run_late)
    sync(bigquery.make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
    assert {name.partition("_")[0] for name in lost} >= {"tickets", "sync"}
    keys = bigquery.ask("SELECT id FROM tickets ORDER BY id")
    assert keys == sorted((row["id"],) for row in sandbox.world.rows("tickets"))
    items = sum(len(row["action_items"] or []) for row in sandbox.world.rows("tickets"))
    assert bigquery.ask("SELECT count(*) FROM tickets__action_items") == [(items,)]


def test_files_may_travel_through_a_bucket(sandbox: SandboxServer, bigquery: Dataset, tmp_path: Path) -> None:
    """Staged files are loaded from where dlt put them; a folder stands for the bucket."""
    pipeline = bigquery.make_pipeline(tmp_path, staging=dlt.destinations.filesystem(f"file://{tmp_path}/bucket"))
    sync(pipeline, settings_for(sandbox), resources=["warehouses"])
    truth = sorted((row["id"], row["name"]) for row in sandbox.world.rows("warehouses"))
    assert bigquery.ask("SELECT id, name FROM warehouses ORDER BY id") == truth
    assert list((tmp_path / "bucket").rglob("*.jsonl"))


def test_check_proves_access_or_names_what_is_missing(bigquery: Dataset, command: Begin) -> None:
    """`--check` tells a line for each thing that works, leaves no table behind, and ends with 2 at a revoked key."""
    told, logged = command("--check").communicate(timeout=PATIENCE_SECONDS)
    lines = [line for line in told.splitlines() if ": can be read" in line or "dataset " in line]
    place, works = f"dataset {bigquery.name}", "a table can be created, loaded, changed, queried (1 row) and deleted"
    assert (lines, logged) == (
        [
            "ok    API, tickets: can be read, 60 rows",
            "ok    API, reports: can be read, 8 rows",
            "ok    API, warehouses: can be read, 2 rows",
            "ok    API, contents of reports: can be read",
            f"ok    {place}: created in US",
            f"ok    {place}: {works}",
            f"ok    {place}_staging: created in US",
            f"ok    {place}_staging: {works}",
        ],
        "",
    )
    with bigquery.emulator.client(bigquery.name) as client:
        assert list(client.list_tables(bigquery.name)) == []
    revoked = command("--check", SOURCES__COGNY__API_KEY="sk_test_other")
    told, _ = revoked.communicate(timeout=PATIENCE_SECONDS)
    assert "FAIL  API, tickets: " in told
    assert "status 401" in told
    assert revoked.returncode == 2


def test_location_that_is_not_the_datasets_is_refused(bigquery: Dataset, command: Begin) -> None:
    """A dataset that is in the United States cannot be used as one in the European Union."""
    with bigquery.emulator.client(bigquery.name) as client:
        client.create_dataset(bigquery.name)
    process = command("--location", "EU")
    _, logged = process.communicate(timeout=PATIENCE_SECONDS)
    assert logged == f"Error: dataset {bigquery.name} is in US, not in EU: leave --location out\n"
    assert process.returncode == 2


def test_missing_emulator_fails_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the emulator is not installed, tests that need it are skipped, and in CI they fail."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make emulator"):
        require_emulator(tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="make emulator"):
        require_emulator(tmp_path)
