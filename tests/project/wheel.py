"""The wheel, built from the sdist, the same to the byte each time; `python -m tests.project.wheel dist` builds both."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.project import sdist

BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"
# The wheel keeps the modes of what the build writes; another mask would leave files that only root can read.
UMASK = 0o022


def build(archive: Path, target: Path) -> Path:
    """Build the wheel of an sdist into a folder; returns its path."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", str(sdist.EPOCH))}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as source:
            source.extractall(folder, filter="data")
        [unpacked] = Path(folder).iterdir()
        command = [sys.executable, "-c", BUILD, str(target.absolute())]
        done = subprocess.run(
            command, cwd=unpacked, env=environment, umask=UMASK, capture_output=True, text=True, check=True
        )
    return target / done.stdout.splitlines()[-1]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    archive = sdist.build(folder)
    print(archive, build(archive, folder), sep="\n")
