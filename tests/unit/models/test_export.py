"""Copying the package out."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cogny_source.errors import ConfigError
from cogny_source.models.export import copy_project
from cogny_source.models.project import FOLDER


def test_a_copy_is_a_project_for_the_destination(tmp_path: Path) -> None:
    """All files, the dataset, and a profile."""
    folder = tmp_path / "models"
    copy_project(folder, "growth", {"type": "duckdb", "path": '/data/"x".duckdb'})
    files = {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()}
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == {*files, Path("profiles.yml")}
    settings = yaml.safe_load((folder / "dbt_project.yml").read_text())
    assert settings["vars"]["cogny_schema"] == "growth"
    profile = yaml.safe_load((folder / "profiles.yml").read_text())["cogny"]
    assert profile["outputs"][profile["target"]] == {"type": "duckdb", "path": '/data/"x".duckdb'}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """So is a place that is no folder."""
    (tmp_path / "mine.sql").write_text("select 1")
    for place, reason in ((tmp_path, "not empty"), (tmp_path / "mine.sql" / "x", "cannot be written")):
        with pytest.raises(ConfigError, match=reason):
            copy_project(place, "growth", {})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.sql"]
