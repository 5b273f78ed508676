"""The sandbox in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from cogny_source.sandbox.history import History

COMMAND = [sys.executable, "-m", "cogny_source.sandbox"]


@contextmanager
def running(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process with pipes, killed at the end if it has not ended by itself."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> list[str]:
    """The words that a process tells first."""
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """It tells its address once it listens, serves the world of its flags, and exits 0 at SIGTERM."""
    ready, world = tmp_path / "ready", tmp_path / "world.json"
    flags = ["--tickets", "30", "--seed", "5", "--error-500", "1", "--ready-file", str(ready), "--world", str(world)]
    with running([*COMMAND, *flags]) as process:
        base_url, word, *keys = first_line(process)
        assert ready.read_text() == base_url + "\n"
        assert (word, keys[0]) == ("keys:", "sk_test_sandbox")
        answer = requests.get(base_url + "/tickets", headers={"X-API-Key": keys[0]}, timeout=5)
        health = requests.get(base_url.replace("/v1", "/_sandbox/health"), timeout=5).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert answer.status_code == 500
    assert health["rows"]["tickets"] == 30
    assert History.load(world).turns == ()


def test_process_ends_with_its_parent() -> None:
    """Told to exit with its parent it does not outlive it."""
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    with running([sys.executable, "-c", script, *COMMAND, "--tickets", "1", "--exit-with-parent"]) as parent:
        base_url = first_line(parent)[0]
        parent.kill()
        assert parent.stdout is not None
        assert parent.stdout.read() == ""  # The pipe ends once the child is gone too.
    with pytest.raises(requests.ConnectionError):
        requests.get(base_url + "/tickets", timeout=5)


def test_sandbox_serves_until_it_is_stopped(tmp_path: Path) -> None:
    """`cogny sandbox` takes the options of the sandbox, and answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cogny_source", "sandbox", "--tickets", "3"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    base_url, _, key = process.stdout.readline().split()[:3]
    request = urllib.request.Request(f"{base_url}/tickets", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert len(json.load(answer)["data"]) == 3
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()
