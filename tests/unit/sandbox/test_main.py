"""The command line: a sandbox in a process of its own, and the file that remembers a world."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from cogny_source.sandbox import RESOURCES, World
from cogny_source.sandbox.__main__ import main
from cogny_source.sandbox.history import History, live_on

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
FRESH = History(seed=3, tickets=50, reports=None, warehouses=2, born_at=NOW.isoformat())
COMMAND = [sys.executable, "-m", "cogny_source.sandbox"]


def truth(world: World) -> dict[str, object]:
    """Every row of a world."""
    return {name: world.rows(name) for name in RESOURCES}


def test_a_fresh_world_is_remembered_without_turns(tmp_path: Path) -> None:
    """The first start makes the file; the world is as it was born."""
    path = tmp_path / "world.json"
    world = live_on(path, FRESH, NOW)
    assert truth(world) == truth(World(seed=3, tickets=50, warehouses=2, now=NOW))
    assert History.load(path) == FRESH
    assert os.listdir(tmp_path) == ["world.json"]


def test_each_start_adds_a_turn(tmp_path: Path) -> None:
    """The world goes on from where it was, and is the same when it is rebuilt."""
    path = tmp_path / "world.json"
    live_on(path, FRESH, NOW)
    expected = World(seed=3, tickets=50, warehouses=2, now=NOW)
    for day in (1, 2):
        later = NOW + timedelta(days=day)
        expected.advance(later)
        world = live_on(path, History(9, 9, 9, 9, later.isoformat()), later)
        assert truth(world) == truth(expected)
        assert world.now == later
    assert json.loads(path.read_text())["turns"] == ["2025-06-02T12:00:00+00:00", "2025-06-03T12:00:00+00:00"]
    assert truth(History.load(path).rebuild()) == truth(expected)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"turns": []}', '{"turns": 5, "seed": 1}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """A file that holds no history is named, and left alone."""
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"other\.json"):
        live_on(path, FRESH, NOW)
    assert path.read_text() == content


def test_a_turn_into_the_past_leaves_the_file_alone(tmp_path: Path) -> None:
    """A clock that went back does not spoil the history."""
    path = tmp_path / "world.json"
    live_on(path, FRESH, NOW)
    with pytest.raises(ValueError, match="already at"):
        live_on(path, FRESH, NOW - timedelta(days=1))
    assert History.load(path) == FRESH


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


@pytest.mark.usefixtures("keep_signals")
@pytest.mark.parametrize(
    "flags", [["--reset", "7"], ["--ignored-sorts", "users"], ["--churn-per-page", "-1"], ["--dribble", "-1"]]
)
def test_nonsense_on_the_command_line(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that makes no sense ends with exit code 2 and names the switch."""
    with pytest.raises(SystemExit) as exit_info:
        main(flags)
    assert exit_info.value.code == 2
    assert flags[0].removeprefix("--").replace("-", "_") in capsys.readouterr().err


@pytest.mark.usefixtures("keep_signals")
def test_main_serves_in_this_process(capsys: pytest.CaptureFixture[str]) -> None:
    """SIGINT ends it with 0, even if it comes before it listens."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    assert main(["--tickets", "1"]) == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


@pytest.fixture
def keep_signals() -> Iterator[None]:
    """Put back the signal handlers that `main` sets."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
