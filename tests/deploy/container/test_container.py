"""The Dockerfile: linted, and true to the project; `make container-try` builds and runs what it describes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.container.dockerfile import Stage, copied_from_context, read_dockerfile, sent_files
from tests.support.syncs import ROOT

EXTRAS = ("bigquery", "s3", "gs", "delta")
PYTHON = "3.13"
TARGET = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "sys_platform": "linux"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    """The Dockerfile's stages."""
    return read_dockerfile((ROOT / "Dockerfile").read_text())


def test_hadolint_finds_nothing() -> None:
    """The linter of Dockerfiles, hadolint, has no remark."""
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(hadolint), str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_context_holds_what_is_copied_and_no_more(stages: list[Stage], tmp_path: Path) -> None:
    """What the Dockerfile copies is sent to the build; keys, databases and environments are not."""
    for name in (".dlt/secrets.toml", "cogny.env", "cogny.duckdb", ".venv/bin/python", "cogny_source/__pycache__/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    ignore = (ROOT / ".dockerignore").read_text()
    assert sent_files(tmp_path, ignore) == []
    sent = {str(path) for path in sent_files(ROOT, ignore)}
    copied = [path.rstrip("/") for stage in stages for path in copied_from_context(stage)]
    assert "cogny_source" in copied
    assert {name for name in sent if not name.startswith("cogny_source/")} == {*copied} - {"cogny_source"}
    assert "cogny_source/__init__.py" in sent


def test_image_runs_as_nobody_in_particular(stages: list[Stage]) -> None:
    """The image has a fixed uid, takes signals itself, and keeps state and database on its volume."""
    image = stages[-1]
    assert image.last("USER").text == "10001:10001"
    assert image.last("ENTRYPOINT").command == ["cogny"]
    assert image.last("CMD").command == ["sync", "duckdb"]
    assert image.last("HEALTHCHECK").command[:2] == ["cogny", "status"]
    variables = image.last("ENV").pairs
    assert image.last("VOLUME").text == image.last("WORKDIR").text == variables["HOME"] == "/data"
    assert variables["DLT_DATA_DIR"] == "/data/dlt"
    assert variables["COGNY_DATABASE"] == "/data/cogny.duckdb"


def test_image_and_manifest_have_the_projects_version(stages: list[Stage]) -> None:
    """The image's label and the tag that the manifest names are the project's version."""
    labels = stages[-1].last("LABEL").pairs
    assert labels["org.opencontainers.image.version"] == PROJECT["version"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    manifest = (ROOT / "deploy" / "kubernetes" / "cronjob.yaml").read_text()
    assert f"image: cogny-source:{PROJECT['version']}\n" in manifest


def test_python_is_one_that_the_project_supports(stages: list[Stage]) -> None:
    """Both stages have the same image, with a Python that the project supports."""
    [base] = {stage.base for stage in stages}
    python = base.removeprefix("python:").partition("-")[0]
    assert python == PYTHON
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)


def test_pins_are_what_the_project_asks_for() -> None:
    """Each requirement of the project and of the image's extras is pinned, at a version that it allows."""
    pins = dict(line.split()[0].split("==") for line in pinned_lines())
    asked = PROJECT["dependencies"] + [line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra]]
    requirements = [Requirement(line) for line in asked]
    wanted = [item for item in requirements if item.marker is None or item.marker.evaluate(TARGET)]
    wrong = [str(item) for item in wanted if not item.specifier.contains(pins.get(canonicalize_name(item.name), "0"))]
    assert wrong == []


def pinned_lines() -> list[str]:
    """The lines of the image's requirements that name a package."""
    text = (ROOT / "deploy" / "requirements.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
