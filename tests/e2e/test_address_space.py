"""The commands refuse a limit of address space under which the libraries would crash."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT


@pytest.mark.parametrize("name", ["cogny_to_duckdb.py", "cogny_to_parquet.py"])
def test_command_refuses_too_little_address_space(
    name: str, sandbox: SandboxServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    """It exits with 2, and sends no request."""
    limit = 2 * 2**30
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipelines" / name)],
        cwd=tmp_path,
        env={**environment, "SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "Error: `ulimit -v` leaves this process 2.0 GB" in done.stderr
    assert sandbox.requests == []
