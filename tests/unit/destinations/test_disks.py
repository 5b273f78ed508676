"""A disk without room is named, whatever the library's error says."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.destinations.disks import describe_full_disks, list_folders
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.engine.working_dir import open_pipeline
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import NAME, settings_for

Usage = namedtuple("Usage", "total used free")


def fill(monkeypatch: pytest.MonkeyPatch, full: Path) -> None:
    """Let the disk of a folder, and of what is below it, have 40 KB left."""

    def measure(place: Path) -> Usage:
        free = 40_000 if Path(place).is_relative_to(full) else 2**40
        return Usage(2**41, 2**41 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", measure)


def test_full_disks_are_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a folder that is there; disks with room, and folders that are nowhere, are left out."""
    (tmp_path / "small").mkdir()
    folders = [tmp_path / "small" / "not" / "there", tmp_path / "small", tmp_path, Path("nowhere")]
    assert describe_full_disks([tmp_path / "small"]) == ""
    fill(monkeypatch, tmp_path / "small")
    assert describe_full_disks(folders) == f"; the disk of {tmp_path / 'small'} has 0.0 MB left"


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


def test_working_directory_on_a_full_disk_is_named(tmp_path: Path) -> None:
    """Where not even the pipeline can be made."""

    def make() -> dlt.Pipeline:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "state.json"))

    told = f"the working directory {tmp_path} cannot be written .No space left on device.; set DLT_DATA_DIR to another"
    with pytest.raises(ConfigError, match=told):
        open_pipeline(make, tmp_path, NAME)
