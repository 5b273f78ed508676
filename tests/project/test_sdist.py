"""The sdist: whole, without what it cannot run, and the same to the byte each time."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tests.project.sdist import build
from tests.support.syncs import ROOT


def test_sdist_is_whole_and_reproducible(tmp_path: Path) -> None:
    """All files of the package and no test; built twice it is the same."""
    first, second = build(tmp_path / "first"), build(tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {member.mtime for member in archive.getmembers()} == {315_532_800}
    package = ROOT / "cogny_source"
    files = {
        path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert files <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "MANIFEST.in"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "docs"))]
