"""The sdist, of its files alone and the same to the byte each time: `python -m tests.project.sdist dist`."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "cogny_source")
# Where SOURCE_DATE_EPOCH names no other instant; a zip file knows none before 1980.
EPOCH = 315_532_800
BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_sdist(sys.argv[1]))"


def build(target: Path) -> Path:
    """Build the sdist into a folder; returns its path."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, Path(folder, part))
        command = [sys.executable, "-c", BUILD, str(target.absolute())]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    path = target / done.stdout.splitlines()[-1]
    path.write_bytes(normalise(path.read_bytes(), int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))))
    return path


def normalise(archive: bytes, epoch: int) -> bytes:
    """A compressed tar file without what differs from one machine, or one day, to the next."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            content = source.extractfile(member)
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode, member.pax_headers = 0o755 if member.isdir() else 0o644, {}
            target.addfile(member, content)
    return gzip.compress(plain.getvalue(), mtime=epoch)


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
