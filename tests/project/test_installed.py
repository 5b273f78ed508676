"""The wheel in an empty environment outside the repository, with each extra in turn. The package index is needed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import cogny_source
from cogny_source.installation import find_requirements
from cogny_source.sandbox import SandboxServer
from tests.project import sdist, wheel
from tests.support.places import FolderPlace
from tests.support.syncs import KEY, ROOT

pytestmark = pytest.mark.long
PATIENCE_SECONDS = 180
# What only those install who work on the project.
FOR_CONTRIBUTORS = {"bench", "dev", "docs"}
# A command that needs an extra, and what tells so where it is not there.
REFUSALS = {
    "delta": (("sync", "parquet", "--bucket-url", "lake", "--table-format", "delta"), "deltalake is not installed"),
    "s3": (("sync", "parquet", "--bucket-url", "s3://growth/tables"), "s3fs is not installed"),
    "gs": (("sync", "parquet", "--bucket-url", "gs://growth/tables"), "gcsfs is not installed"),
    "bigquery": (("sync", "bigquery"), "Google's client is not installed"),
}
# As a user would write it.
PROGRAM = """\
import dlt
from cogny_source import Cogny, Settings, SyncResult, cogny_source, sync
from cogny_source.client import Report, Ticket
from cogny_source.testing import open_cogny

pipeline = dlt.pipeline("cogny", destination=dlt.destinations.duckdb("growth.duckdb"), dataset_name="cogny_data")
result: SyncResult = sync(pipeline, Settings("sk_test_sandbox"), resources=["tickets"])
rows: dict[str, int] = {run.resource: run.rows_loaded[run.resource] for run in result.resources}
names: list[str] = list(cogny_source().resources)


def ask(client: Cogny, warehouse_id: str) -> str | None:
    report: Report = client.reports.wait(client.reports.create(warehouse_id, "Why?", max_iterations=3), timeout=300)
    tickets: list[Ticket] = list(client.tickets.list(status="open", priority="high"))
    impacts: list[float] = [it.estimated_impact.confidence or 0.0 for it in tickets if it.estimated_impact]
    client.tickets.bulk_update([it.id for it in tickets], status="in_progress", assignee=None)
    return report.url if impacts else None


with open_cogny() as client:
    ask(client, client.sandbox.warehouse_id)
"""


class Installation:
    """An environment with the wheel, and a folder to work in.

    Args:
        folder: Where both are made.
        environment: The variables of its commands.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self.bin = folder / "installed" / "bin"

    def run(self, program: str, *arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs."""
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=self._folder,
            env={**self._environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def ask(self, code: str) -> str:
        """What Python prints."""
        # Now and then deltalake's threads abort the process at its end.
        code += "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)"
        return self.run("python", "-I", "-c", code).stdout.strip()


Install = Callable[[str | None], Installation]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository."""
    folder = tmp_path_factory.mktemp("dist")
    return wheel.build(sdist.build(folder), folder)


@pytest.fixture
def install(built: Path, tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer) -> Install:
    """Install the wheel, with an extra or with none; its commands find the sandbox."""

    def make(extra: str | None) -> Installation:
        folder = tmp_path / "installed"
        wanted = str(built) if extra is None else f"{built}[{extra}]"
        if _has_uv():
            _call("uv", "venv", "--quiet", "--python", sys.executable, str(folder))
            _call("uv", "pip", "install", "--quiet", "--python", str(folder / "bin/python"), wanted)
        else:
            _call(sys.executable, "-m", "venv", str(folder))
            _call(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", wanted)
        settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
        return Installation(tmp_path, {**environment, **settings})

    return make


def _has_uv() -> bool:
    """Whether uv is here and starts; a shim of pyenv may be there without it."""
    path = shutil.which("uv")
    return path is not None and subprocess.run([path, "--version"], capture_output=True).returncode == 0


def _call(*command: str) -> None:
    environment = {**os.environ, "UV_SYSTEM_CERTS": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_each_extra_of_a_user_is_tried() -> None:
    """One that is added to pyproject.toml needs its test here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == {*REFUSALS, "analysis"} | FOR_CONTRIBUTORS


def test_without_extras(install: Install) -> None:
    """The command, each exported name and a sync into DuckDB; what needs an extra says which, in one sentence."""
    installed = install(None)
    assert installed.run("cogny", "--version").stdout == f"cogny, version {version('cogny-source')}\n"
    assert "sync" in installed.run("cogny", "--help").stdout
    names = installed.ask("import cogny_source as c; print(*(n for n in c.__all__ if getattr(c, n) is not None))")
    assert names.split() == cogny_source.__all__
    assert Path(installed.ask("import cogny_source as c; print(c.__file__)")).is_relative_to(installed.bin.parent)
    installed.run("cogny", "sync", "duckdb", "--database", "growth.duckdb")
    rows = "import duckdb; print(len(duckdb.connect('growth.duckdb').sql('FROM cogny_data.tickets').fetchall()))"
    assert installed.ask(rows) == "450"
    installed.run("cogny", "dashboard", "--database", "growth.duckdb", "--out", "report.html")
    for words in (["build"], ["test"], ["ask"], ["init", "project"]):
        installed.run("cogny", "models", *words, "--database", "growth.duckdb")
    for extra, (command, sentence) in REFUSALS.items():
        told = installed.run("cogny", *command, expect=2).stderr
        assert told.startswith(f"Error: {sentence}: run ")
        assert "cogny-source" not in told
        assert told.endswith(f"install {shlex.join(find_requirements(extra))}\n")


def test_user_program_passes_mypy_strict(install: Install, tmp_path: Path) -> None:
    """The types that travel with the wheel are those that a user's checker finds."""
    installed = install(None)
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "types", "--python-executable"]
    done = subprocess.run(
        [*command, installed.bin / "python", "program.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout
    (tmp_path / "program.py").write_text(PROGRAM.replace("dict[str, int]", "dict[str, str]"))
    done = subprocess.run(
        [*command, installed.bin / "python", "program.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "Value expression in dictionary comprehension has incompatible type" in done.stdout


def test_sandbox(install: Install) -> None:
    """The demo needs no extra."""
    told = install(None).run("cogny", "sync", "duckdb", "--sandbox").stdout
    assert "Open tickets" in told
    assert re.search(r"critical +\d+", told)


def test_delta(install: Install) -> None:
    """A sync into Delta tables, which deltalake reads."""
    installed = install("delta")
    installed.run("cogny", *REFUSALS["delta"][0])
    rows = "from deltalake import DeltaTable; print(DeltaTable('lake/tickets').to_pyarrow_table().num_rows)"
    assert installed.ask(rows) == "450"


def test_s3(install: Install, bucket: str, tmp_path: Path) -> None:
    """A sync into a bucket, and a sentence where there are no credentials for one."""
    installed = install("s3")
    told = installed.run("cogny", *REFUSALS["s3"][0], "--check", expect=2).stdout
    assert "no credentials for s3://growth/tables: set AWS_ACCESS_KEY_ID" in told
    place = FolderPlace(tmp_path, "parquet", bucket)
    installed.run("cogny", "sync", "parquet", *place.arguments, expect=0, **place.environment)
    assert place.ask("SELECT count(*) FROM tickets") == [(450,)]


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("gs", "no credentials for gs://growth/tables: run `gcloud auth application-default login`"),
        ("bigquery", "no credentials for Google: run `gcloud auth application-default login`"),
    ],
)
def test_google(install: Install, extra: str, sentence: str) -> None:
    """Google's libraries are there, and the check says in one sentence that their credentials are not."""
    told = install(extra).run("cogny", *REFUSALS[extra][0], "--check", expect=2).stdout
    [line] = [line for line in told.splitlines() if "FAIL" in line]
    assert sentence in line


def test_analysis(install: Install) -> None:
    """Data frames from what was loaded."""
    installed = install("analysis")
    installed.run("cogny", "sync", "duckdb", "--database", "growth.duckdb")
    frame = "import duckdb; print(duckdb.connect('growth.duckdb').sql('FROM cogny_data.tickets').df().shape[0])"
    assert installed.ask(frame) == "450"
