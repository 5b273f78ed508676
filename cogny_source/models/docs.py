"""The models' documentation as one HTML file, which dbt writes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.models.export import copy_project
from cogny_source.plain_text import safe_text

# dbt-core 1.12 downloads a part of itself while it is installed.
REQUIREMENTS = {
    "duckdb": ("dbt-core>=1.11,<1.12", "dbt-duckdb>=1.10,<2"),
    "bigquery": ("dbt-core>=1.11,<1.12", "dbt-bigquery>=1.10,<2"),
}
PAGE = Path("target", "static_index.html")


def find_dbt(environment: Path) -> Path:
    """The dbt of an environment, else the one beside this Python, else the one on the path.

    Raises:
        ConfigError: If there is none.
    """
    places = [environment / "bin" / "dbt", Path(sys.executable).with_name("dbt")]
    found = next((str(place) for place in places if place.is_file()), None) or shutil.which("dbt")
    if found is None:
        raise ConfigError("dbt is not installed: --install makes an environment for it, or install dbt-core yourself")
    return Path(found)


def install_dbt(environment: Path, kind: str, announce: Callable[[str], None]) -> None:
    """Make an environment with dbt, and install it there.

    Args:
        environment: Its folder; one that is there is used.
        kind: The type of the profile, such as `duckdb`.
        announce: Called with the command that installs it.

    Raises:
        LoadFailed: If it cannot be installed.
    """
    python = environment / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[kind]]
    announce(shlex.join(command))
    try:
        venv.create(environment, with_pip=True)
        done = subprocess.run(command, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LoadFailed(f"no environment can be made in {environment}: {error}") from error
    if done.returncode:
        raise LoadFailed(f"dbt cannot be installed: {_last_line(done.stderr)}")


def write_docs(dbt: Path, dataset: str, profile: Mapping[str, object], out: Path) -> None:
    """Write the documentation of the models with their lineage, columns and tests.

    Args:
        dbt: The program.
        dataset: The dataset of the loaded tables.
        profile: The output of dbt's profile for the models.
        out: The file to write; one that is there is replaced.

    Raises:
        LoadFailed: If dbt fails, or the file cannot be written.
    """
    with TemporaryDirectory(prefix="cogny-") as name:
        project = Path(name) / "models"
        copy_project(project, dataset, profile)
        command = [str(dbt), "--no-use-colors", "--no-send-anonymous-usage-stats", "docs", "generate", "--static"]
        variables = {**os.environ, "DBT_PROFILES_DIR": str(project)}
        done = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True)
        if done.returncode or not (project / PAGE).is_file():
            raise LoadFailed(f"dbt cannot write the documentation: {_last_line(done.stdout or done.stderr)}")
        try:
            shutil.copyfile(project / PAGE, out)
        except OSError as error:
            raise LoadFailed(f"{out} cannot be written: {error.strerror}") from error


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return safe_text(lines[-1]) if lines else "it told no reason"
