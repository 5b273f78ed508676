"""A sync names the disk that is full."""

from __future__ import annotations

from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.destinations.disks import list_folders
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.errors import LoadFailed
from cogny_source.sandbox import SandboxServer
from tests.support.disks import fill
from tests.support.syncs import settings_for


def test_folders_of_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory, that for temporary files, and a destination on this machine."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    for destination, folder in (
        (dlt.destinations.duckdb(str(tmp_path / "a.duckdb")), tmp_path / "a.duckdb"),
        (open_folder((tmp_path / "a b").as_uri()), tmp_path / "a b"),
        (open_folder("s3://bucket/x"), None),
    ):
        pipeline = dlt.pipeline("folders", pipelines_dir=str(tmp_path / "p"), destination=destination)
        assert list_folders(pipeline)[2:] == ([] if folder is None else [folder])
        assert list_folders(pipeline)[0] == tmp_path / "p" / "folders"


def test_failure_names_the_full_disk(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the error that comes first is a consequence."""

    def fail(*_: object, **__: object) -> None:
        raise ValueError("I/O operation on closed file.")

    monkeypatch.setattr(dlt.Pipeline, "run", fail)
    fill(monkeypatch, tmp_path / "pipelines")
    told = rf"closed file\.; the disk of {tmp_path}/pipelines.* has 0.0 MB left"
    with pytest.raises(LoadFailed, match=told):
        sync(pipeline, settings_for(sandbox), resources=["warehouses"])
