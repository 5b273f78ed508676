"""A package for BigQuery that is ready to load: files and statements, without a BigQuery."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import dlt
import orjson
import pytest
from dlt.common.schema.utils import dlt_id_column
from dlt.common.schema.utils import has_table_seen_data as has_seen_data

from cogny_source.destinations.bigquery.adapter import BigQueryAdapter
from cogny_source.destinations.bigquery.dlt_client import ExactBigQuery, MergeJob
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.records.chunk import Chunk
from cogny_source.records.convert import convert_rows
from cogny_source.records.package import Package
from cogny_source.schema import TICKETS

ROW: dict[str, Any] = {
    "id": "tkt_1",
    "title": 'a\u0000b\n"\\ 📦',
    "estimated_impact": {"current_value": 5e-324},
    "supporting_data": {"wide": 2**70, "whole": 1.0, "deep": [{"": None}]},
    "created_at": "2025-02-03T04:05:06.789012Z",
    "action_items": ["one"],
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dlt.Pipeline:
    """A pipeline into BigQuery with a package that is ready to load, as in production: nobody is asked."""
    from google.oauth2.credentials import Credentials

    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    credentials: Any = Credentials(token="none", quota_project_id="nowhere")
    destination = ExactBigQuery(credentials, project_id="nowhere")
    pipeline = dlt.pipeline(
        "cogny", pipelines_dir=str(tmp_path / "pipelines"), destination=destination, dataset_name="cogny_data"
    )
    tables = convert_rows(TICKETS, [ROW]).tables
    pipeline.extract(
        make_package_source(Package({"tickets": Chunk(tables, 1)}, "turn", None, history=False), BigQueryAdapter())
    )
    pipeline.normalize()
    return pipeline


def test_package_holds_gzipped_lines(package: dlt.Pipeline) -> None:
    """Each file of rows is gzipped, holds one object a line, and stays what was written."""
    [load_id] = package.list_normalized_load_packages()
    jobs = package.get_load_package_info(load_id).jobs["new_jobs"]
    [path] = [Path(job.file_path) for job in jobs if job.job_file_info.table_name == "tickets"]
    assert path.name.endswith(".jsonl.gz")
    [line] = gzip.decompress(path.read_bytes()).splitlines()
    row = orjson.loads(line)
    assert row["supporting_data"]["deep"] == [{"": None}]
    assert row["_dlt_load_id"] == load_id


def test_table_is_created_with_descriptions_partitions_and_clusters(package: dlt.Pipeline) -> None:
    """The statement that dlt sends says all of it."""
    client: Any
    with package.destination_client() as client:
        columns = list(client.schema.get_table_columns("tickets").values())
        [statement] = client._get_table_update_sql("tickets", columns, False)
    assert "PARTITION BY TIMESTAMP_TRUNC(`created_at`, MONTH)" in statement
    assert "CLUSTER BY `warehouse_id`, `status`, `priority`" in statement
    assert f"OPTIONS (description='{TICKETS.description}')" in statement
    assert "`supporting_data` JSON OPTIONS (description='Free-form evidence.')" in " ".join(statement.split())


def test_merge_is_one_transaction_over_its_own_package(package: dlt.Pipeline) -> None:
    """No reader sees rows deleted and not yet inserted, and rows that come late are left out."""
    client: Any
    with package.destination_client() as client:
        table = client.prepare_load_table("tickets")
        statements = MergeJob.generate_sql([table], client.sql_client)
    begin, delete, insert, commit = statements
    assert (begin, commit) == ("BEGIN TRANSACTION;", "COMMIT TRANSACTION;")
    assert delete.startswith("DELETE FROM")
    assert insert.startswith("INSERT INTO")
    assert "_dlt_load_id = this_load" in delete
    assert "_dlt_load_id = this_load" in insert


def extract(pipeline: dlt.Pipeline, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Extract and normalise tickets; the lines of their file."""
    tables = convert_rows(TICKETS, rows).tables if rows else {}
    chunk = Chunk(dict(tables), len(rows), state={"updated_after": None})
    pipeline.extract(make_package_source(Package({"tickets": chunk}, "turn", None, history=False), BigQueryAdapter()))
    pipeline.normalize()
    lines: list[dict[str, Any]] = []
    for load_id in pipeline.list_normalized_load_packages():
        for job in pipeline.get_load_package_info(load_id).jobs["new_jobs"]:
            if job.job_file_info.table_name == "tickets":
                lines += map(orjson.loads, gzip.decompress(Path(job.file_path).read_bytes()).splitlines())
    return lines


@pytest.fixture
def empty(package: dlt.Pipeline) -> dlt.Pipeline:
    """The same pipeline before anything was extracted."""
    package.drop()
    return package


def test_table_that_is_made_empty_takes_rows_later(empty: dlt.Pipeline) -> None:
    """No column is added that the rows lack: BigQuery would refuse them for ever."""
    assert extract(empty, []) == []
    tables = empty.schemas["cogny"].tables
    assert {"tickets", "tickets__action_items"} <= {table["name"] for table in tables.values() if has_seen_data(table)}
    assert [row["id"] for row in extract(empty, [ROW])] == ["tkt_1"]
    declared = {column.name for column in TICKETS.columns}
    assert set(tables["tickets"]["columns"]) == declared


def test_table_with_row_ids_gets_one_for_each_row(empty: dlt.Pipeline) -> None:
    """Earlier versions made empty tables with dlt's column `_dlt_id`, which must not be null."""
    extract(empty, [])
    schema = empty.schemas["cogny"]
    for name in ("tickets", "tickets__action_items"):
        schema.update_table({"name": name, "columns": {"_dlt_id": dlt_id_column()}})
    empty.schemas.save_schema(schema)
    lines = extract(empty, [ROW, ROW | {"id": "tkt_2"}])
    ids = [row["_dlt_id"] for row in lines]
    assert len(set(ids)) == 2
    assert all(ids)
