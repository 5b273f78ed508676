"""The models as a dbt package: built by dbt itself, and read by Google's own analyzer of BigQuery's SQL."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from cogny_source.destinations.bigquery.models import BigQueryModelStore
from cogny_source.models.build import build_models, render_models
from cogny_source.models.docs import write_docs
from cogny_source.models.export import copy_project
from cogny_source.models.project import FOLDER, read_project
from cogny_source.models.rendering import Renderer
from tests.support.dbt import ENVIRONMENT, ROOT, analyze, require_dbt, run_dbt
from tests.support.model_cases import LIVES, RECOMMENDATIONS, REPORTS
from tests.support.models import MODELS, built, join, make_store, sync_run, write_loaded

CASES = join(LIVES, REPORTS, RECOMMENDATIONS)
BY_DBT = "by_dbt"
BERLIN = {"cogny_timezone": "Europe/Berlin"}
SUBDIRECTORY = "cogny_source/models/dbt"
BIGQUERY = {
    "text": "STRING", "double": "DOUBLE", "bigint": "INT64", "bool": "BOOL", "json": "JSON", "timestamp": "TIMESTAMP",
    "VARCHAR": "STRING", "DOUBLE": "DOUBLE", "BIGINT": "INT64", "INTEGER": "INT64", "BOOLEAN": "BOOL", "JSON": "JSON",
    "DATE": "DATE", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that takes the package from a git repository, and an account in DuckDB."""
    require_dbt()
    repository, project = tmp_path / "repository", tmp_path / "growth"
    shutil.copytree(FOLDER, repository / SUBDIRECTORY)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(repository)]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Package"]):
        subprocess.run([*git, *arguments], check=True)
    project.mkdir()
    profile = {"type": "duckdb", "path": str(tmp_path / "growth.duckdb"), "schema": BY_DBT, "threads": 1}
    (project / "profiles.yml").write_text(yaml.safe_dump({"growth": {"target": "x", "outputs": {"x": profile}}}))
    settings = {"name": "growth", "version": "1.0.0", "profile": "growth", "vars": {"cogny": BERLIN}}
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    source = {"git": repository.as_uri(), "subdirectory": SUBDIRECTORY, "revision": "main"}
    (project / "packages.yml").write_text(yaml.safe_dump({"packages": [source]}))
    with duckdb.connect(str(tmp_path / "growth.duckdb")) as connection:
        write_loaded(connection, CASES)
        build_models(make_store(connection), BERLIN)
    return project


def read_schema(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, tuple[list[Any], list[str]]]:
    """Each relation's columns with their types and comments, and its rows in order."""
    columns = connection.execute(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE schema_name = ?", [schema]
    ).fetchall()
    return {
        name: (
            sorted(column[1:] for column in columns if column[0] == name),
            sorted(map(repr, connection.execute(f"FROM {schema}.{name}").fetchall())),
        )
        for name in {column[0] for column in columns}
    }


def test_dbt_builds_what_the_command_builds(project: Path) -> None:
    """The same relations, columns, descriptions and rows; all data tests pass, and the metrics are understood."""
    run_dbt(project, "deps")
    told = run_dbt(project, "build")
    [(passed, warned)] = re.findall(r"PASS=(\d+) WARN=(\d+) ERROR=0 ", told)
    tests = sum(1 for _ in read_project().all_tests)
    assert int(passed) + int(warned) == len(read_project().models) + tests
    assert set(re.findall(r"WARN \d+ (\w+_\w+)", told)) <= {"synced_in_time"}  # the account is of another day
    with duckdb.connect(str(project.parent / "growth.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        expected = read_schema(connection, MODELS)
        assert expected.keys() == read_project().models.keys()
        assert read_schema(connection, BY_DBT) == expected
    manifest = json.loads((project / "target" / "semantic_manifest.json").read_text())
    written = yaml.safe_load((FOLDER / "models" / "marts" / "_metrics.yml").read_text())["metrics"]
    assert {metric["name"] for metric in manifest["metrics"]} == {metric["name"] for metric in written}


@pytest.mark.long
def test_freshness_is_told_by_the_record_of_runs(tmp_path: Path) -> None:
    """A copy of the package is a project; its tables are too old here."""
    require_dbt()
    database = tmp_path / "growth.duckdb"
    with duckdb.connect(str(database)) as connection:
        write_loaded(connection, sync_run("tickets", "2024-01-01"))
    copy_project(tmp_path / "models", "cogny_data", {"type": "duckdb", "path": str(database), "schema": BY_DBT})
    with pytest.raises(AssertionError, match=r"ERROR STALE freshness of cogny\.sync_runs"):
        run_dbt(tmp_path / "models", "source", "freshness")


class _AnyProject(BigQueryModelStore):
    """A store that holds every table and sends nothing."""

    def __init__(self) -> None:
        self._client = type("Client", (), {"project": "project"})()
        self._dataset, self._models = "loaded", "models"

    def list_loaded(self, tables: Iterable[str]) -> frozenset[str]:
        return frozenset(tables)


@pytest.mark.long
def test_bigquery_understands_each_query() -> None:
    """Models, data tests and questions; the columns have the types that DuckDB gives them."""
    require_dbt()
    project, store = read_project(), _AnyProject()
    renderer = Renderer(project, store, {})
    queries = [(model.name, model.sql) for model in render_models(store, {})]
    queries += [(f"test {test.name}", renderer.render_test(test).sql) for test in project.all_tests]
    queries += [(f"question {it.number}", renderer.render(it.sql).sql) for it in project.questions]
    tables = {name: {c: BIGQUERY[kind] for c, kind in types.items()} for name, types in project.sources.items()}
    with built({}) as models:
        columns = models.rows("SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal")
    for name, column, kind in columns:
        tables.setdefault(name, {})[column] = BIGQUERY[kind]
    plain = [(name, re.sub(r"`\w+`\.`\w+`\.", "", sql)) for name, sql in queries]
    told = analyze(tables, [*plain, ("wrong", "SELECT least(status, created_at) FROM tickets")])
    assert isinstance(told.pop("wrong"), str)
    assert {name: error for name, error in told.items() if isinstance(error, str)} == {}
    assert {name: told[name] for name in project.models} == {name: tables[name] for name in project.models}


def test_the_package_is_where_the_guide_says() -> None:
    """For `subdirectory` of `packages.yml`."""
    assert FOLDER == ROOT / SUBDIRECTORY
    assert f"subdirectory: {SUBDIRECTORY}" in (ROOT / "docs" / "models.md").read_text("utf-8")


@pytest.mark.long
def test_documentation_is_one_file(tmp_path: Path) -> None:
    """With each model and each description; it loads nothing."""
    require_dbt()
    database, out = tmp_path / "growth.duckdb", tmp_path / "models.html"
    with duckdb.connect(str(database)) as connection:
        write_loaded(connection, CASES)
        build_models(make_store(connection), BERLIN)
    profile = {"type": "duckdb", "path": str(database), "schema": MODELS}
    write_docs(ENVIRONMENT / "bin" / "dbt", "cogny_data", profile, out)
    text = out.read_text("utf-8")
    for model in read_project().models.values():
        assert f'"model.cogny.{model.name}"' in text
        assert json.dumps(model.description) in text
    assert '"exposure.cogny.cogny_dashboard"' in text
