"""A sync as the tests run it: names, a pipeline, settings, and waiting."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt

from cogny_source.engine.progress import Progress, Silence
from cogny_source.engine.run_record import ResourceRun
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings

ROOT = Path(__file__).parents[2]
KEY = "sk_test_sandbox"
NAME = "cogny"
PATIENCE_SECONDS = 60

Script = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]


def make_pipeline(folder: Path, machine: str = "pipelines") -> dlt.Pipeline:
    """The pipeline into a folder's database, as another process, or another machine, would make it."""
    return dlt.pipeline(
        NAME,
        pipelines_dir=str(folder / machine),
        destination=dlt.destinations.duckdb(str(folder / "cogny.duckdb")),
        dataset_name="cogny_data",
    )


class _EachPage(Silence):
    def __init__(self, call: Callable[[ResourceRun, int | None], None]) -> None:
        self.read = call  # type: ignore[assignment,method-assign]


def each_page(call: Callable[[ResourceRun, int | None], None]) -> Progress:
    """What watches a sync by being called after each page."""
    return _EachPage(call)


def settings_for(server: SandboxServer, **values: Any) -> Settings:
    """Settings for the sandbox; without the contents of reports, which have tests of their own, unless asked for."""
    return Settings(KEY, server.base_url, requests_per_minute=None, **{"contents": "never", **values})


def wait(sandbox: SandboxServer, **span: float) -> None:
    """Let the world's clock go on."""
    sandbox.world.advance(sandbox.world.now + timedelta(**span), created=0, changed=0)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Wait until something holds while a process runs, or the process is done."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_in_census(sandbox: SandboxServer, pages: int, *, asked: int = 0) -> bool:
    """Whether a census of the tickets has brought so many pages, after the requests that were there before.

    The first load is by creation, too; a census comes after what changed was asked for.
    """
    told = [r for r in sandbox.requests[asked:] if r.path == "/v1/tickets" and r.status == 200 and r.fault is None]
    orders = [request.params.get("sort") for request in told]
    return "updated_at" in orders and orders[orders.index("updated_at") :].count("created_at") >= pages
