"""Destinations that were never tried, and errors from below the sync: each is named in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dlt
import pyarrow as pa
import pytest
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.configuration.specs import AwsCredentialsWithoutDefaults

from cogny_source import sync
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.registry import check_supported, open_session
from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import settings_for
from tests.support.truth import Ask, assert_exact


def make_pipeline(folder: Path, destination: Any) -> dlt.Pipeline:
    """A pipeline into a destination."""
    return dlt.pipeline("tried", pipelines_dir=str(folder), destination=destination, dataset_name="cogny_data")


@pytest.mark.parametrize(
    ("destination", "advice"),
    [
        (lambda: dlt.destinations.dummy(), r"open_folder\(bucket_url\) or bigquery$"),
        (lambda: dlt.destinations.snowflake(), r"open_folder\(bucket_url\) or bigquery$"),
        (lambda: dlt.destinations.postgres(), "or plain pipeline.run"),
        (lambda: None, "the pipeline has no destination"),
        (lambda: dlt.destinations.filesystem("x"), "appends each version of a row"),
    ],
)
def test_destination_that_was_never_tried_is_refused(
    destination: Callable[[], Any], advice: str, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first request."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=advice):
        sync(make_pipeline(tmp_path, destination()), settings_for(sandbox))
    assert sandbox.requests == []


@pytest.mark.parametrize("kind", ["sqlalchemy", "mssql", "redshift", "athena", "a_new_one"])
def test_destination_is_named_in_the_refusal(kind: str) -> None:
    """Whatever dlt brings, or will bring."""
    pipeline = Mock(destination=Mock(destination_type=f"dlt.destinations.{kind}"))
    with pytest.raises(ConfigError, match=f"not tested with dlt's destination {kind} and does not load into it"):
        check_supported(pipeline)


def test_destinations_that_were_tried_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the tests load into, by their types."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    for destination in (
        dlt.destinations.duckdb(str(tmp_path / "x.duckdb")),
        dlt.destinations.bigquery(),
        open_folder(str(tmp_path / "parquet")),
        open_folder(str(tmp_path / "delta"), "delta"),
    ):
        check_supported(make_pipeline(tmp_path, destination))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("a value is wrong"), "a value is wrong"),
        (pa.ArrowInvalid("a column is wrong"), "a column is wrong"),
        (KeyError("a_column"), "KeyError: 'a_column'"),
        (ImportError("no module named tables"), "no module named tables"),
    ],
)
def test_errors_of_the_destination_are_named(
    error: Exception,
    told: str,
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a sentence, and on record as a failure; the next run is exact."""
    sync(pipeline, settings_for(sandbox), resources=["warehouses"])

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(Committer, "_write", fail)
        with pytest.raises(LoadFailed, match=f"the destination refused load package .*{told}.* Nothing is lost"):
            sync(pipeline, settings_for(sandbox))
    sync(pipeline, settings_for(sandbox))
    assert_exact(ask, sandbox.world)
    assert {status for (status,) in ask("SELECT status FROM sync_runs")} == {"done", "failed"}


def test_error_while_the_destination_is_read_is_named(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it is written."""
    destination = open_session(pipeline, 0)
    sync(pipeline, settings_for(sandbox), resources=["warehouses"])
    with pytest.raises(LoadFailed, match=r"the destination does not answer: .*nothing_of_the_kind"):
        destination.query_or_empty("SELECT nothing_of_the_kind FROM warehouses")


def test_setting_that_dlt_lacks_is_named(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a fault of settings, which an orchestrator does not try again."""

    def fail(_: object) -> None:
        raise ConfigFieldMissingException(AwsCredentialsWithoutDefaults(), {"aws_secret_access_key": []})

    monkeypatch.setattr(DestinationSession, "_open", fail)
    with pytest.raises(ConfigError, match=r"dlt lacks a setting of the destination: .*aws_secret_access_key"):
        sync(pipeline, settings_for(sandbox))


def test_unexpected_error_is_on_record(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a failure, not as a process that ended without a word."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("cogny_source.engine.run_loop.Run._load_next_chunks", fail)
        with pytest.raises(ZeroDivisionError):
            sync(pipeline, settings_for(sandbox))
    sync(pipeline, settings_for(sandbox))
    told = "error LIKE 'an unexpected error: ZeroDivisionError%'"
    failed = ask(f"SELECT status, {told} FROM sync_runs WHERE status <> 'done'")
    assert failed == [("failed", True)] * 3
