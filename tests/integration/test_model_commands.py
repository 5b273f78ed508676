"""`cogny models`: built, tested and asked from the command line, alike on each destination."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cogny_source.sandbox import SandboxServer
from tests.support.model_cases import LIVES, RECOMMENDATIONS, REPORTS
from tests.support.models import join, write_loaded
from tests.support.places import FolderPlace
from tests.support.syncs import Script

Ask = Callable[[str], list[tuple[Any, ...]]]
FOLDERS = [
    ["parquet", "--bucket-url", "exports"],
    ["parquet", "--bucket-url", "lake", "--table-format", "delta"],
]


def read_models(database: str) -> dict[str, list[str]]:
    """All models of a file but those that tell the clock of this machine, their rows in order."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data_models'")
        names = [
            name for (name,) in connection.execute("SELECT table_name FROM duckdb_columns() GROUP BY 1").fetchall()
        ]
        own = [name for name in names if name.startswith(("cogny_", "int_")) and "sync" not in name]
        return {name: sorted(map(repr, connection.execute(f"FROM {name}").fetchall())) for name in own}


@pytest.fixture
def account(tmp_path: Path) -> None:
    """A database with tickets, reports and recommendations."""
    with duckdb.connect(str(tmp_path / "cogny.duckdb")) as connection:
        write_loaded(connection, join(LIVES, REPORTS, RECOMMENDATIONS))


def test_models_are_alike_in_a_database_and_in_folders(cogny: Script, sandbox: SandboxServer) -> None:
    """Parquet files and Delta tables give the cells that DuckDB gives."""
    sandbox.world.clock = None
    cogny("sync", "duckdb")
    told = cogny("models", "build", "--time-zone", "Europe/Berlin")
    expected = read_models("cogny.duckdb")
    assert "models are built in cogny_data_models." in told.stdout
    for number, place in enumerate(FOLDERS):
        cogny("sync", *place)
        target = [*place, "--models-database", f"models{number}.duckdb"]
        cogny("models", "build", *target, "--time-zone", "Europe/Berlin")
        assert read_models(f"models{number}.duckdb") == expected
        assert " 0 warn, 0 error." in cogny("models", "test", *target).stdout


@pytest.mark.usefixtures("account")
def test_test_names_the_law_that_is_broken_with_its_rows(cogny: Script, ask: Ask) -> None:
    """And ends with 1; a warning does not."""
    cogny("models", "build")
    flow = "cogny_data_models.cogny_ticket_flow_daily"
    ask(f"UPDATE {flow} SET change = change + 1 WHERE date_day = (SELECT min(date_day) FROM {flow})")
    told = cogny("models", "test", expect=1).stdout
    assert "ERROR flow_explains_the_backlog: For each group, at the end of each day" in told
    assert "ERROR weeks_have_no_gap" in told
    found = json.loads(cogny("models", "test", "--format", "json", expect=1).stdout)
    broken = {test["test"]: test for test in found if test["level"] == "error"}
    assert broken.keys() == {"flow_explains_the_backlog", "weeks_have_no_gap"}
    assert broken["weeks_have_no_gap"]["broken_rows"] == len(broken["weeks_have_no_gap"]["first_rows"]) == 1
    cogny("models", "build")
    ask("UPDATE cogny_data.tickets SET priority = 'urgent' WHERE id = 'plain'")
    assert "WARN accepted_values_stg_cogny__tickets_priority" in cogny("models", "test", expect=1).stdout


@pytest.mark.usefixtures("account")
def test_a_build_changes_no_loaded_table(cogny: Script, ask: Ask) -> None:
    """And a failed one leaves the models as they were."""
    tables = ask("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'cogny_data' ORDER BY 1")
    before = [ask(f"FROM {name} ORDER BY ALL") for (name,) in tables]
    cogny("models", "build")
    models = read_models("cogny.duckdb")
    assert [ask(f"FROM {name} ORDER BY ALL") for (name,) in tables] == before
    ask("ALTER TABLE sync_runs RENAME COLUMN api_rows TO other")
    failed = cogny("models", "build", "--time-zone", "Asia/Tokyo", expect=1)
    assert "Error: DuckDB refuses the models: Binder Error" in failed.stderr
    assert read_models("cogny.duckdb") == models


@pytest.mark.usefixtures("account")
def test_questions_are_answered_as_they_were_built(cogny: Script) -> None:
    """As a table, as CSV, as JSON, and as SQL that can be pasted."""
    cogny("models", "build", "--week-start", "sunday")
    assert re.findall(r"^(\d+)\. ", cogny("models", "ask").stdout, re.MULTILINE) == list(map(str, range(1, 11)))
    csv = cogny("models", "ask", "--question", "4", "--format", "csv").stdout
    assert csv.startswith("category,closed,completed,completed_percent\nretention,7,6,85.7")
    [told] = json.loads(cogny("models", "ask", "--question", "4", "--format", "json").stdout)
    assert [row["category"] for row in told["rows"]] == [line.partition(",")[0] for line in csv.splitlines()[1:]]
    sql = cogny("models", "ask", "--question", "4", "--sql").stdout
    assert cogny("query", sql, "--format", "csv").stdout == csv
    [weeks] = json.loads(cogny("models", "ask", "--question", "1", "--format", "json").stdout)
    assert {date.fromisoformat(week["date_week"]).strftime("%A") for week in weeks["rows"]} == {"Sunday"}


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["test"], "there are no models: run `cogny models build` with the same options first"),
        (
            ["build", "--time-zone", "Mars/Olympus"],
            "'Mars/Olympus' is no time zone; write a name such as Europe/Berlin",
        ),
        (
            ["build", "--models-dataset", "cogny_data"],
            "--models-dataset cogny_data is the dataset of the loaded tables",
        ),
        (["build", "--models-dataset", "No!"], "--models-dataset is 'No!'"),
        (["build", "--models-database", "x.duckdb"], "--models-database is for a folder"),
        (["build", "--database", "other.duckdb"], "nothing was synced there yet"),
        (["ask", "--question", "11"], "there is no question 11: name one of 1 to 10"),
        (["init", "project", "parquet"], "dbt reads no folder: `cogny models build parquet` makes a DuckDB file"),
        (["init", "project", "bigquery"], "name it with --project"),
    ],
)
def test_what_cannot_be_done_is_told(cogny: Script, arguments: list[str], reason: str) -> None:
    """With what mends it, and exit code 2."""
    assert reason in cogny("models", *arguments, expect=2).stderr


def test_models_of_a_folder_are_asked_from_their_file(cogny: Script) -> None:
    """Which has to be there."""
    cogny("sync", "parquet", "--bucket-url", "exports", "--resources", "warehouses")
    place = ["parquet", "--bucket-url", "exports"]
    assert "`cogny models build` makes it" in cogny("models", "ask", *place, expect=2).stderr
    cogny("models", "build", *place)
    sql = cogny("models", "ask", *place, "--question", "10", "--sql").stdout
    with duckdb.connect("cogny_models.duckdb") as connection:
        assert len(connection.execute(sql).fetchall()) == 0
    cogny("models", "build", *place, "--models-database", "memory.duckdb")
    Path("cogny_models.duckdb").write_text("this is no database, but a text of some length")
    assert "cannot be opened for the models" in cogny("models", "build", *place, expect=1).stderr


@pytest.mark.long
def test_models_of_a_bucket_are_those_of_a_folder(
    cogny: Script, sandbox: SandboxServer, bucket: str, tmp_path: Path
) -> None:
    """Delta tables in S3; nothing of the bucket is needed to ask."""
    sandbox.world.clock = None
    bucket_place = FolderPlace(tmp_path, "delta", bucket)
    places = [(bucket_place.arguments, bucket_place.environment), (["--bucket-url", "exports"], {})]
    for number, (arguments, variables) in enumerate(places):
        cogny("sync", "parquet", *arguments, **variables)
        target = [*arguments, "--models-database", f"models{number}.duckdb"]
        cogny("models", "build", "parquet", *target, **variables)
        assert " 0 warn, 0 error." in cogny("models", "test", "parquet", *target, **variables).stdout
    assert read_models("models0.duckdb") == read_models("models1.duckdb")


def test_init_copies_a_project(cogny: Script) -> None:
    """For the database that is named."""
    told = cogny("models", "init", "growth", "--database", "growth.duckdb", "--dataset", "acme")
    assert "cd growth && dbt build --profiles-dir ." in told.stdout
    [output] = yaml.safe_load(Path("growth/profiles.yml").read_text())["cogny"]["outputs"].values()
    assert output == {
        "type": "duckdb",
        "path": str(Path("growth.duckdb").absolute()),
        "schema": "acme_models",
        "threads": 1,
    }
    assert "not empty" in cogny("models", "init", "growth", expect=2).stderr
