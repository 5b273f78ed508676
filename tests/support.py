"""Names that the tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt

from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"
NAME = "cogny"

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def make_pipeline(folder: Path, machine: str = "pipelines") -> dlt.Pipeline:
    """The pipeline into a folder's database, as another process, or another machine, would make it."""
    return dlt.pipeline(
        NAME,
        pipelines_dir=str(folder / machine),
        destination=dlt.destinations.duckdb(str(folder / "cogny.duckdb")),
        dataset_name="cogny_data",
    )


def settings_for(server: SandboxServer, **values: Any) -> Settings:
    """Settings for the sandbox."""
    return Settings(KEY, server.base_url, requests_per_minute=None, **values)
