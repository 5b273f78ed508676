"""The models on BigQuery: the cells that DuckDB gives, from the same rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from google.cloud import bigquery as google

from cogny_source.destinations.bigquery.models import BigQueryModelStore
from cogny_source.destinations.model_store import ModelStore, ModelText
from cogny_source.models.build import build_models, render_models
from cogny_source.models.checks import run_tests
from cogny_source.models.project import read_project
from cogny_source.models.questions import ask
from tests.support.emulator import Dataset
from tests.support.model_cases import LIVES, RECOMMENDATIONS, REPORTS
from tests.support.models import Row, built, join
from tests.support.syncs import Script

ZONE = {"cogny_timezone": "Europe/Berlin"}
TYPES = {
    "text": "STRING",
    "double": "FLOAT64",
    "bigint": "INT64",
    "bool": "BOOL",
    "json": "JSON",
    "timestamp": "TIMESTAMP",
}
CASES = join(LIVES, REPORTS, RECOMMENDATIONS)


def load(client: google.Client, dataset: str, tables: Mapping[str, list[Row]]) -> None:
    """Load rows as the connector would."""
    client.create_dataset(dataset)
    for name, rows in tables.items():
        types = read_project().sources[name]
        schema = [google.SchemaField(column, TYPES[kind]) for column, kind in types.items()]
        config = google.LoadJobConfig(schema=schema)
        client.load_table_from_json([_as_json(row) for row in rows], f"{dataset}.{name}", job_config=config).result()


def _as_json(row: Row) -> Row:
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return {name: json.loads(v) if name in ("extra", "supporting_data") and v else v for name, v in shown.items()}


def cells(rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows in an order and a form of their own; doubles to nine digits."""
    return sorted(repr(tuple(map(_cell, row))) for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, float | Decimal):
        return float(f"{value:.9g}")
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value.isoformat() if isinstance(value, date) else value


def read_all(store: ModelStore) -> dict[str, list[str]]:
    """The cells of all models, each column by its name."""
    found = {}
    for name in read_project().models:
        columns, rows = store.query(f"SELECT * FROM {store.model(name)}")
        order = sorted(range(len(columns)), key=columns.__getitem__)
        found[name] = [repr([columns[place] for place in order])]
        found[name] += cells([tuple(row[place] for place in order) for row in rows])
    return found


@pytest.mark.long
def test_models_are_those_of_duckdb(bigquery: Dataset) -> None:
    """Cell by cell, with the answers to the questions; no law is broken."""
    with built(CASES, timezone="Europe/Berlin") as models:
        expected = read_all(models.store)
        answers = [(answer.columns, cells(answer.rows)) for answer in ask(models.store)]
    with bigquery.emulator.client(bigquery.name) as client:
        load(client, bigquery.name, CASES)
        store = BigQueryModelStore(client, bigquery.name, f"{bigquery.name}_models")
        build_models(store, ZONE)
        assert read_all(store) == expected
        assert [(answer.columns, cells(answer.rows)) for answer in ask(store)] == answers
        broken = [it.test.name for it in run_tests(store) if it.count and it.test.name != "synced_in_time"]
        assert broken == []


def test_a_build_replaces_what_is_there(bigquery: Dataset) -> None:
    """A table that became a view too; descriptions are written, and what was read is counted."""
    with bigquery.emulator.client(bigquery.name) as client:
        load(client, bigquery.name, {"warehouses": [{"id": "wh_1", "name": "main"}]})
        store = BigQueryModelStore(client, bigquery.name, f"{bigquery.name}_models")
        assert not store.has("stg_cogny__warehouses")
        model = next(it for it in render_models(store, {}) if it.name == "stg_cogny__warehouses")
        for kind in ("table", "view", "view"):
            with store.building():
                store.create(ModelText(model.name, kind, model.sql, model.description, model.columns))  # type: ignore[arg-type]
            table = client.get_table(f"{bigquery.name}_models.{model.name}")
            assert (table.table_type, table.description) == (kind.upper(), model.description)
            assert {field.name: field.description for field in table.schema} == model.columns
            assert store.query(f"SELECT warehouse_id, name FROM {store.model(model.name)}")[1] == [("wh_1", "main")]
        assert store.has(model.name)
        assert not store.has("cogny_days")
        assert store.bytes_read is not None


@pytest.mark.long
def test_commands_build_and_ask_models(cogny: Script, bigquery: Dataset) -> None:
    """Behind a sync, from the command line; what was read is told."""
    run = partial(cogny, **bigquery.emulator.variables)
    place = ["bigquery", "--dataset", bigquery.name]
    run("sync", *place)
    assert "there are no models" in run("models", "test", *place, expect=2).stderr
    told = run("models", "build", *place, "--time-zone", "Europe/Berlin").stdout
    assert re.fullmatch(rf"\d+ models are built in {bigquery.name}_models; [\d.,]+ MB were read\.\n", told)
    assert run("models", "test", *place).stdout.endswith(" 0 warn, 0 error.\n")
    [answer] = json.loads(run("models", "ask", *place, "--question", "10", "--format", "json").stdout)
    assert len(answer["rows"]) == 30
    assert "is for a folder" in run("models", "build", *place, "--models-database", "x.duckdb", expect=2).stderr
