"""Advice to install a library: right for pip, uv and uvx, whatever the connector was installed from."""

from __future__ import annotations

import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cogny_source import installation
from cogny_source.errors import ConfigError
from cogny_source.installation import check_installed, describe_install, find_requirements, show_python
from tests.support.syncs import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


@pytest.mark.parametrize("extra", ["bigquery", "delta", "s3", "gs", "analysis"])
def test_requirements_are_those_of_the_extra(extra: str) -> None:
    """As pyproject.toml has them."""
    assert {*map(Requirement, find_requirements(extra))} == {*map(Requirement, EXTRAS[extra])}


def test_with_pip_it_is_the_environments_own() -> None:
    """The command is one that a shell runs as it stands."""
    told = describe_install(["dlt[bigquery]<1.32,>=1.31", "duckdb"])
    assert shlex.split(told) == ["run", show_python(), "-m", "pip", "install", "dlt[bigquery]<1.32,>=1.31", "duckdb"]
    assert describe_install(["duckdb"], upgrade=True).endswith(" -m pip install --upgrade duckdb")


def test_without_pip_it_is_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that uv made has no pip."""
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    told = describe_install(["s3fs>=2024.6", "botocore"])
    assert shlex.split(told) == ["run", "uv", "pip", "install", "--python", show_python(), "s3fs>=2024.6", "botocore"]


def test_uvx_takes_libraries_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed into its environment by hand does not stay."""
    monkeypatch.setattr(sys, "prefix", "/home/u/.cache/uv/archive-v0/bG4d7OkB1jdS2kSJ")
    assert describe_install(["s3fs>=2024.6", "botocore"]) == "add --with 's3fs>=2024.6' --with botocore to uvx"


def test_missing_library_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector's own name is on no index, and is in no command."""
    check_installed("json", "json", "delta")
    with pytest.raises(ConfigError, match=r"^Google's client is not installed: run .* 'dlt\[bigquery\]<1.32,>=1.31'$"):
        check_installed("no_such_module.at_all", "Google's client", "bigquery")
    monkeypatch.setattr(installation, "DISTRIBUTION", "cogny-source-that-nobody-installed")
    with pytest.raises(ConfigError, match=r"^deltalake is not installed: it comes with the extra delta$"):
        check_installed("no_such_module", "deltalake", "delta")


def test_python_is_shown_as_a_person_would_type_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Relative where it lies below the present folder, else its whole path."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    monkeypatch.chdir(tmp_path)
    assert show_python() == ".venv/bin/python"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert show_python() == str(tmp_path / ".venv/bin/python")
