"""A disk that fills up during a sync."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script
from tests.support.truth import Ask, assert_exact


def test_full_disk_is_named_and_loses_nothing(
    sandbox: SandboxServer, script: Script, database: Ask, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Where files may not grow, the run ends with the cause and exit code 1, and the next one with room is exact."""
    script("--resources", "warehouses")
    limit = 60_000  # bytes a file
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py")],
        cwd=tmp_path,
        env={**environment, **variables},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    [message] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert os.strerror(errno.EFBIG) in message
    assert "Nothing is lost" in message
    script()
    assert_exact(database, sandbox.world)
