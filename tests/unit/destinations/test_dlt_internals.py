"""The ledger of what dlt does not promise: where a test fails with a new dlt, its message says what breaks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.common import validation
from dlt.common.exceptions import DictValidationException
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TColumnSchema, TStoredSchema, TTableSchema
from dlt.common.storages.load_package import LoadPackageStateInjectableContext, ParsedLoadJobFileName
from dlt.common.time import increasing_precise_time
from dlt.common.typing import extract_inner_type
from dlt.destinations.impl.bigquery.bigquery import BigQueryClient, BigQueryLoadJob, BigQueryMergeJob
from dlt.destinations.impl.bigquery.factory import bigquery
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.impl.duckdb.factory import duckdb
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.job_client_impl import SqlLoadJob

from cogny_source.destinations import dlt_internals as internals
from cogny_source.destinations.bigquery.dlt_client import resolve_configuration
from cogny_source.destinations.duckdb.dlt_client import open_read_only
from cogny_source.dlt_internals import find_kind, list_settings_folders, without_traces
from tests.support.syncs import ROOT

PACKAGE = ROOT / "cogny_source"
LEDGERS = ("dlt_client.py", "dlt_internals.py")
# What dlt documents, and what its own verified sources import.
PUBLIC = {
    "dlt": {"*"},
    "dlt.common": {"json"},
    "dlt.common.configuration": {"configspec", "resolve_type"},
    "dlt.common.configuration.exceptions": {"ConfigurationException"},
    "dlt.common.configuration.specs": {"BaseConfiguration", "CredentialsConfiguration"},
    "dlt.common.destination.client": {"StateInfo"},
    "dlt.common.destination.exceptions": {"DestinationException"},
    "dlt.common.exceptions": {"DltException"},
    "dlt.common.schema": {"Schema"},
    "dlt.common.schema.typing": {
        "LOADS_TABLE_NAME",
        "PIPELINE_STATE_TABLE_NAME",
        "VERSION_TABLE_NAME",
        "TColumnSchema",
        "TSchemaTables",
        "TWriteDispositionConfig",
    },
    "dlt.common.typing": {"TLoaderFileFormat", "TSecretStrValue"},
    "dlt.destinations.exceptions": {"DatabaseUndefinedRelation", "DestinationConnectionError"},
    "dlt.destinations.sql_client": {"SqlClientBase"},
    "dlt.extract": {"DltResource", "DltSource"},
    "dlt.pipeline.exceptions": {"PipelineStepFailed"},
}
# Private attributes of other libraries' objects, by the one file that may use them.
FOREIGN_ATTRIBUTES = {
    "cli/json_output.py": {"_asdict"},  # a method of each named tuple, documented
    "cli/entry.py": {"_exit"},
    "cli/interruption.py": {"_exit"},
    "__main__.py": {"_exit"},
    "destinations/load_ids.py": {"_dlt_load_id"},  # a column of dlt's tables, by its documented name
}
# Methods of dlt's clients that are overridden, by what breaks where their arguments change.
OVERRIDDEN = [
    (DuckDbClient, "create_load_job", ["self", "table", "file_path", "load_id", "restore"], "plain runs into DuckDB"),
    (DuckDbClient, "should_load_data_to_staging_dataset", ["self", "table_name"], "no staging schema in DuckDB"),
    (DuckDbClient, "_create_merge_followup_jobs", ["self", "table_chain"], "rows merged once in DuckDB"),
    (DuckDbClient, "get_stored_state", ["self", "pipeline_name"], "states of a clock that was ahead"),
    (duckdb, "_raw_capabilities", ["self"], "the memory of a plain run into DuckDB"),
    (BigQueryClient, "create_load_job", ["self", "table", "file_path", "load_id", "restore"], "scripts in BigQuery"),
    (BigQueryClient, "_create_load_job", ["self", "table", "file_path"], "a job whose answer was lost"),
    (BigQueryClient, "_create_merge_followup_jobs", ["self", "table_chain"], "merges in BigQuery"),
    (BigQueryClient, "initialize_storage", ["self", "truncate_tables"], "making the dataset in BigQuery"),
    (BigQueryClient, "get_stored_state", ["self", "pipeline_name"], "states of a clock that was ahead"),
    (BigQueryMergeJob, "get_merge_conditions", ["root_table", "sql_client"], "merging this package's rows alone"),
    (SqlLoadJob, "run", ["self"], "scripts in BigQuery"),
    (FilesystemClient, "complete_load", ["self", "load_id"], "merging into a folder"),
    (FilesystemClient, "initialize_storage", ["self", "truncate_tables"], "making a folder in one step"),
    (FilesystemClient, "verify_schema", ["self", "only_tables", "new_jobs"], "refusing strange tables"),
    (FilesystemClient, "get_stored_state", ["self", "pipeline_name"], "refusing a folder of another format"),
    (FilesystemClient, "list_table_files", ["self", "table_name", "schema_name"], "reading a folder"),
    (FilesystemClient, "get_table_dirs", ["self", "table_names", "remote"], "which folders dlt makes"),
    (FilesystemClient, "get_load_job_class", ["self", "table", "file_path"], "merging into a folder"),
    (FilesystemClient, "get_reference_followup_job_class", ["table"], "merging into a folder"),
    (FilesystemClient, "truncate_tables", ["self", "table_names"], "refusing to empty a folder's tables"),
    (FilesystemClient, "drop_tables", ["self", "tables", "delete_schema"], "refusing to drop a folder's tables"),
    (FilesystemClient, "_write_to_json_file", ["self", "filepath", "data"], "dlt's records written in one step"),
    (FilesystemClient, "_list_dlt_table_files", ["self", "table_name", "pipeline_name"], "the states of a folder"),
    (FilesystemSqlClient, "open_connection", ["self"], "reading files anew that were replaced"),
    (FilesystemSqlClient, "create_secret", ["self", "scope", "credentials"], "reading buckets by dlt's file system"),
    (FilesystemSqlClient, "should_replace_view", ["self", "view_name", "table_schema"], "reading the newest files"),
    (FilesystemSqlClient, "create_view_select", ["self", "table_schema", "schema"], "reading a folder's tables"),
    (FilesystemSqlClient, "_register_filesystem", ["self", "fs", "scheme"], "dlt's own tables in a bucket"),
    (dlt.destinations.filesystem, "_raw_capabilities", ["self"], "files of a folder as Parquet"),
]
PROPERTIES = [
    (duckdb, "client_class"),
    (bigquery, "client_class"),
    (dlt.destinations.filesystem, "client_class"),
    (FilesystemClient, "dataset_path"),
    (FilesystemClient, "sql_client"),
    (FilesystemClient, "sql_client_class"),
]


def ledger_of(owner: type) -> str:
    """Where the connector leans on a class of dlt's."""
    kind = owner.__module__.split(".")[3] if "impl" in owner.__module__ else "bigquery"
    return f"cogny_source/destinations/{kind}/dlt_client.py"


@pytest.mark.parametrize(
    ("owner", "name", "arguments", "breaks"),
    OVERRIDDEN,
    ids=[f"{owner.__name__}.{name}" for owner, name, *_ in OVERRIDDEN],
)
def test_overridden_method_takes_the_same_arguments(owner: type, name: str, arguments: list[str], breaks: str) -> None:
    """Else dlt calls the override otherwise than it is written."""
    found = list(inspect.signature(getattr(owner, name)).parameters)
    assert found[: len(arguments)] == arguments, f"if this fails, {breaks} breaks: look at {ledger_of(owner)}, {name}"


@pytest.mark.parametrize(("owner", "name"), PROPERTIES, ids=lambda value: getattr(value, "__name__", value))
def test_overridden_property_is_one(owner: type, name: str) -> None:
    """Else dlt makes its own client, or looks into its own folder."""
    is_one = isinstance(inspect.getattr_static(owner, name), property)
    assert is_one, f"if this fails, dlt no longer takes our client or folder: look at {ledger_of(owner)}, {name}"


def test_merge_of_bigquery_is_statements() -> None:
    """`MergeJob.generate_sql` puts them into one transaction."""
    arguments = list(inspect.signature(BigQueryMergeJob.generate_sql).parameters)
    assert arguments[:2] == ["table_chain", "sql_client"], (
        "if this fails, a merge in BigQuery is no transaction: look at bigquery/dlt_client.py, MergeJob.generate_sql"
    )


def test_jobs_of_bigquery_are_named_by_their_file() -> None:
    """So that a job of an earlier attempt is found again."""
    parsed = ParsedLoadJobFileName.parse("tickets.1a2b.2.jsonl")
    earlier = parsed._replace(retry_count=0).file_name()
    name = BigQueryLoadJob.get_job_id_from_file_path(f"/packages/{earlier}")
    assert (parsed.retry_count, earlier, name) == (2, "tickets.1a2b.0.jsonl", "tickets_1a2b_0_jsonl"), (
        "if this fails, a job whose answer was lost is sent twice: look at bigquery/dlt_client.py, _find_earlier_job"
    )


def test_load_job_knows_its_file_load_and_client() -> None:
    """`ScriptJob` and `MergeJob` read them."""
    held = vars(SqlLoadJob("/packages/tickets.1a2b.0.sql"))
    assert {"_file_path", "_load_id", "_job_client"} <= held.keys(), (
        "if this fails, no job of ours runs: look at bigquery/dlt_client.py and duckdb/dlt_client.py, run"
    )


def test_dataset_is_bound_to_a_configuration() -> None:
    """`cogny check` asks dlt for credentials so."""
    options = inspect.signature(resolve_configuration).parameters
    bound = bigquery.spec()._bind_dataset_name("cogny_data")
    assert (list(options), bound.dataset_name) == (["project", "dataset"], "cogny_data"), (
        "if this fails, cogny check finds no credentials: look at bigquery/dlt_client.py, filesystem/dlt_client.py"
    )


def test_capabilities_can_be_remembered(tmp_path: Path) -> None:
    """A destination's own attribute stands before its method."""
    destination = dlt.destinations.duckdb(str(tmp_path / "a.duckdb"))
    pipeline = dlt.pipeline("ledger", pipelines_dir=str(tmp_path), destination=destination)
    with internals.cache_capabilities(pipeline):
        held = pipeline.destination.capabilities
        assert held is vars(pipeline.destination)["capabilities"], (
            "if this fails, a quiet sync takes a quarter longer: look at destinations/dlt_internals.py, _remember"
        )
        assert pipeline.destination.capabilities().max_identifier_length == 65536
    assert "capabilities" not in vars(pipeline.destination)
    pipeline.deactivate()


def test_type_hints_can_be_remembered() -> None:
    """Validation asks its own module for the types; each is worked out once, and differs from no other."""
    original = vars(validation)["get_type_hints"]
    with internals.cache_type_hints():
        found = [vars(validation)["get_type_hints"](spec) for spec in (TColumnSchema, TTableSchema, TColumnSchema)]
        assert found[0] is found[2], "if this fails, a quiet sync takes a fifth longer: look at cache_type_hints"
        assert found[:2] == [original(TColumnSchema), original(TTableSchema)]
        with pytest.raises(DictValidationException, match="unexpected fields"):
            validation.validate_dict(TStoredSchema, {"nothing": 1}, ".")
    assert vars(validation)["get_type_hints"] is original
    assert "get_type_hints(" in inspect.getsource(validation.validate_dict)


def test_contexts_hold_the_pipeline_and_the_load() -> None:
    """The source reads them as it extracts."""
    assert callable(PipelineContext.pipeline), "if this fails, no source is extracted: look at current_pipeline"
    held = LoadPackageStateInjectableContext.__annotations__
    assert {"load_id", "storage"} <= held.keys(), (
        "if this fails, rows have no _dlt_load_id, and a folder is not merged: look at current_load_id, _list_package"
    )


def test_load_ids_rise_above_another() -> None:
    """Dlt's clock holds the last instant that it gave."""
    before = increasing_precise_time._last
    try:
        internals.raise_next_load_id(before + 10_000)
        assert float(internals.create_load_id()) > before + 10_000, (
            "if this fails, states of a clock that was ahead hide later ones: look at raise_next_load_id"
        )
    finally:
        increasing_precise_time._last = before


def test_state_is_a_row_of_dlts_table() -> None:
    """`Committer` writes it as dlt would."""
    state: Any = {
        "_state_version": 1,
        "_version_hash": "",
        "_state_engine_version": 4,
        "pipeline_name": "ledger",
        "_local": {},
    }
    row, digest = internals.make_state_row({**state, "sources": {}}, "1700000000.1")
    assert set(row) == {
        "version",
        "engine_version",
        "pipeline_name",
        "state",
        "created_at",
        "version_hash",
        "_dlt_load_id",
        "_dlt_id",
    }, "if this fails, dlt does not restore what a commit wrote: look at make_state_row and duckdb/commit.py"
    assert row["version_hash"] == digest
    assert internals.decompress_state(row["state"])["pipeline_name"] == "ledger"


def test_pipeline_restores_its_state_once(tmp_path: Path) -> None:
    """A run restores it first unless that attribute says that it did."""
    pipeline = dlt.pipeline("ledger", pipelines_dir=str(tmp_path))
    assert pipeline._state_restored is False, (
        "if this fails, each run restores the state twice: look at mark_state_restored"
    )
    pipeline.deactivate()


def test_files_are_imported_into_tables(tmp_path: Path) -> None:
    """The items of a file: the table's hints, then the file under the table's name."""
    path = tmp_path / "1.jsonl"
    path.write_text('{"id": 1}\n')
    first, second = internals.import_file("things", dlt.mark.make_hints(table_name="things"), path, 1)
    assert (second.data, second.meta.file_path, second.meta.metrics.items_count) == ("things", str(path), 1), (
        "if this fails, nothing is loaded into BigQuery: look at import_file and bigquery/jsonl.py"
    )
    assert first.meta.create_table_variant


def test_settings_are_found_where_dlt_looks() -> None:
    """The folders of its settings files, the type of a setting, and the switch of its traces."""
    own, _ = list_settings_folders()
    assert own.name == ".dlt", (
        "if this fails, a damaged settings file is not told of: look at cogny_source/dlt_internals.py"
    )
    kind: Any = int | None
    assert find_kind(kind) is extract_inner_type(kind) is int
    with without_traces():
        pass


def test_external_connection_of_duckdb_is_known() -> None:
    """`Committer` leaves the settings of a connection alone that is not dlt's."""
    assert DuckDbCredentials("a.duckdb").external_conn() is None, (
        "if this fails, settings of a shared database may change: look at duckdb/commit.py, _is_shared"
    )


def test_file_is_opened_to_be_read_alone(tmp_path: Path) -> None:
    """`status` and the page open a database that others have open, or that they may not write."""
    assert open_read_only(tmp_path / "a.duckdb").config_params["credentials"].read_only, (
        "if this fails, status opens a database for writing: look at duckdb/dlt_client.py, open_read_only"
    )


def list_imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names that a module imports from dlt, with the modules that they come from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "*") for alias in node.names if alias.name.partition(".")[0] == "dlt")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "dlt":
            yield from ((str(node.module), alias.name) for alias in node.names)


def list_private_attributes(tree: ast.Module) -> set[str]:
    """The private attributes that a module reads or sets of others than `self` and `cls`."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    found = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
    return found - own


def test_only_the_ledgers_import_what_dlt_does_not_promise() -> None:
    """A name below its public surface has a place in one of them."""
    strange = {
        f"{path.relative_to(PACKAGE)}: {module}.{name}"
        for path in PACKAGE.rglob("*.py")
        if path.name not in LEDGERS
        for module, name in list_imports(ast.parse(path.read_text(encoding="utf-8")))
        if not {name, "*"} & PUBLIC.get(module, set())
    }
    assert strange == set()


def test_only_the_ledgers_use_private_attributes() -> None:
    """Of other libraries' objects, with the few exceptions that are named."""
    strange = {}
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        found = list_private_attributes(ast.parse(path.read_text(encoding="utf-8")))
        if path.name not in LEDGERS and found - FOREIGN_ATTRIBUTES.get(name, set()):
            strange[name] = found
    assert strange == {}
