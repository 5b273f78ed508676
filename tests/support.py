"""Names that the tests share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cogny_source.sandbox import SandboxServer

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"
PATIENCE_SECONDS = 60

Script = Callable[..., "subprocess.CompletedProcess[str]"]
Begin = Callable[..., "subprocess.Popen[str]"]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
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
