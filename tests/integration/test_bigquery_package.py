"""A package for BigQuery that is ready to load: files and statements, without a BigQuery."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import dlt
import orjson
import pytest

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
