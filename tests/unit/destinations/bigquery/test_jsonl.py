"""What travels to BigQuery, and how its tables are laid out, without a BigQuery."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import dlt
import orjson
import pyarrow as pa
import pytest

from cogny_source.destinations.bigquery.adapter import BigQueryAdapter
from cogny_source.destinations.bigquery.dlt_client import ExactBigQuery, MergeJob
from cogny_source.destinations.bigquery.hints import make_table_hints
from cogny_source.destinations.bigquery.jsonl import write_jsonl
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.records.chunk import Chunk
from cogny_source.records.convert import convert_rows
from cogny_source.records.json_numbers import canonical_json, spell_out_wide
from cogny_source.records.package import Package
from cogny_source.schema import REPORTS, TICKETS, WAREHOUSES
from tests.support.emulator import require_emulator

ROW: dict[str, Any] = {
    "id": "tkt_1",
    "title": 'a\u0000b\n"\\ 📦',
    "estimated_impact": {"current_value": 5e-324},
    "supporting_data": {"wide": 2**70, "whole": 1.0, "deep": [{"": None}]},
    "created_at": "2025-02-03T04:05:06.789012Z",
    "action_items": ["one"],
}


def test_a_line_holds_a_row_with_json_as_values(tmp_path: Path) -> None:
    """JSON stands in the file as what it is, whole numbers as texts, instants to the microsecond."""
    table = convert_rows(TICKETS, [ROW]).tables["tickets"]
    write_jsonl(table, TICKETS.columns, tmp_path / "plain", compress=False)
    [line] = (tmp_path / "plain").read_bytes().splitlines()
    row = orjson.loads(line)
    assert row["title"] == ROW["title"]
    assert row["estimated_impact__current_value"] == 5e-324
    assert row["supporting_data"] == {"wide": str(2**70), "whole": 1.0, "deep": [{"": None}]}
    assert row["created_at"] == "2025-02-03T04:05:06.789012Z"
    assert row["extra"] is None
    items = convert_rows(TICKETS, [ROW]).tables["tickets__action_items"]
    write_jsonl(items, TICKETS.children[0].columns, tmp_path / "items", compress=False)
    [line] = (tmp_path / "items").read_bytes().splitlines()
    assert orjson.loads(line)["position"] == "0"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("18446744073709551616", '"18446744073709551616"'),
        ('{"a":-9223372036854775809}', '{"a":"-9223372036854775809"}'),
        ("[9223372036854775807,-9223372036854775808,92.23372036854775807]", None),
        ('"a text of 12345678901234567890 digits"', None),
        ("null", None),
    ],
)
def test_integers_beyond_64_bits_travel_as_texts(sent: str, stored: str | None) -> None:
    """All other numbers and texts mean the same afterwards."""
    [text] = spell_out_wide(pa.chunked_array([[sent]], pa.string()))
    assert text is not None
    assert orjson.loads(text) == orjson.loads(stored or sent)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"b":1.0,"a":[2]}', '{"a":[2.0],"b":1}'),
        ("1e16", "10000000000000000"),
        ("18446744073709551615", '"18446744073709551615"'),
        ("-0.0", "0"),
        ("1e+22", "1e22"),
    ],
)
def test_forms_of_a_number_are_equal(one: str, other: str) -> None:
    """A comparison takes what BigQuery gives back for what it was given."""
    first, second = canonical_json(pa.chunked_array([[one, other]], pa.string()))
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.5", "1"), ('"v 1.0"', '"v 1"'), ("1e22", "1e23"), (str(2**70), str(2**70 + 1)), ("1", "true")],
)
def test_different_values_stay_different(one: str, other: str) -> None:
    """Only forms of one number are equal."""
    first, second = canonical_json(pa.chunked_array([[one, other]], pa.string()))
    assert first != second


def test_tables_are_laid_out_by_what_they_have() -> None:
    """Months of creation or change, and clusters by what is asked for."""
    month = "TIMESTAMP_TRUNC({column_name}, MONTH)"
    laid = {spec.name: make_table_hints(spec) for spec in (TICKETS, REPORTS, WAREHOUSES, TICKETS.children[0])}
    assert laid["tickets"] == {
        "x-bigquery-table-description": TICKETS.description,
        "x-bigquery-partition": {"created_at": month},
        "x-bigquery-cluster-columns": ["warehouse_id", "status", "priority"],
    }
    assert laid["reports"]["x-bigquery-cluster-columns"] == ["warehouse_id", "status"]
    assert laid["warehouses"]["x-bigquery-cluster-columns"] == ["status"]
    assert laid["tickets__action_items"]["x-bigquery-cluster-columns"] == ["ticket_id"]
    assert TICKETS.versions is not None
    assert make_table_hints(TICKETS.versions)["x-bigquery-partition"] == {"updated_at": month}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dlt.Pipeline:
    """A pipeline into BigQuery with a package that is ready to load, as in production: nobody is asked."""
    from google.oauth2.credentials import Credentials

    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    destination = ExactBigQuery(Credentials(token="none", quota_project_id="nowhere"), project_id="nowhere")
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
    with package.destination_client() as client:
        columns = list(client.schema.get_table_columns("tickets").values())
        [statement] = client._get_table_update_sql("tickets", columns, False)
    assert "PARTITION BY TIMESTAMP_TRUNC(`created_at`, MONTH)" in statement
    assert "CLUSTER BY `warehouse_id`, `status`, `priority`" in statement
    assert f"OPTIONS (description='{TICKETS.description}')" in statement
    assert "`supporting_data` JSON OPTIONS (description='Free-form evidence.')" in " ".join(statement.split())


def test_merge_is_one_transaction_over_its_own_package(package: dlt.Pipeline) -> None:
    """No reader sees rows deleted and not yet inserted, and rows that come late are left out."""
    with package.destination_client() as client:
        table = client.prepare_load_table("tickets")
        statements = MergeJob.generate_sql([table], client.sql_client)
    begin, delete, insert, commit = statements
    assert (begin, commit) == ("BEGIN TRANSACTION;", "COMMIT TRANSACTION;")
    assert delete.startswith("DELETE FROM")
    assert insert.startswith("INSERT INTO")
    assert "_dlt_load_id = this_load" in delete
    assert "_dlt_load_id = this_load" in insert


def test_missing_emulator_fails_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the emulator is not installed, tests that need it are skipped, and in CI they fail."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make emulator"):
        require_emulator(tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="make emulator"):
        require_emulator(tmp_path)
