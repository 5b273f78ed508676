"""The wheel: all of the package and nothing else, and the same to the byte each time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.project import sdist, wheel
from tests.support.syncs import ROOT

PROGRAMS = [Path("tests/__init__.py"), *(Path(str(module.__file__)).relative_to(ROOT) for module in (sdist, wheel))]
INFO = f"cogny_source-{version('cogny-source')}.dist-info"
LATER = 1_700_000_000


def build(root: Path, target: Path, umask: int) -> Path:
    """Build as `make dist` does, in a process of its own; returns the wheel."""
    command = [sys.executable, "-m", wheel.__name__, str(target)]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(command, cwd=root, env=environment, umask=umask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository."""
    return build(ROOT, tmp_path_factory.mktemp("dist"), 0o022)


def test_wheel_is_the_same_from_another_folder_umask_and_time(built: Path, tmp_path: Path) -> None:
    """Who builds it, where and when leaves no trace; every user may read what root installs."""
    copy = tmp_path / "copy"
    for part in (*map(Path, sdist.PARTS), *PROGRAMS):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (LATER, LATER))
    assert build(copy, tmp_path / "dist", 0o077).read_bytes() == built.read_bytes()
    with zipfile.ZipFile(built) as archive:
        assert {oct(entry.external_attr >> 16 & 0o777) for entry in archive.infolist()} <= {"0o644", "0o664"}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    """Each file of the package, whatever its kind, and what describes it."""
    package = [path for path in (ROOT / "cogny_source").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    assert names == {path.relative_to(ROOT).as_posix() for path in package} | {f"{INFO}/{name}" for name in described}
    assert {"cogny_source/py.typed", "cogny_source/dashboard/page.html", "cogny_source/dashboard/page.css"} <= names
