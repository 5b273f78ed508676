"""A disk without room is named, whatever the library's error says."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import dlt
import pytest

from cogny_source.destinations.disks import describe_full_disks
from cogny_source.engine.working_dir import open_pipeline
from cogny_source.errors import ConfigError
from tests.support.disks import fill
from tests.support.syncs import NAME


def test_full_disks_are_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a folder that is there; disks with room, and folders that are nowhere, are left out."""
    (tmp_path / "small").mkdir()
    folders = [tmp_path / "small" / "not" / "there", tmp_path / "small", tmp_path, Path("nowhere")]
    assert describe_full_disks([tmp_path / "small"]) == ""
    fill(monkeypatch, tmp_path / "small")
    assert describe_full_disks(folders) == f"; the disk of {tmp_path / 'small'} has 0.0 MB left"


def test_working_directory_on_a_full_disk_is_named(tmp_path: Path) -> None:
    """Where not even the pipeline can be made."""

    def make() -> dlt.Pipeline:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "state.json"))

    told = f"the working directory {tmp_path} cannot be written .No space left on device.; set DLT_DATA_DIR to another"
    with pytest.raises(ConfigError, match=told):
        open_pipeline(make, tmp_path, NAME)
