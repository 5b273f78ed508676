"""The command line: a sandbox in a process of its own, and the file that remembers a world."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cogny_source.sandbox import RESOURCES, World
from cogny_source.sandbox.__main__ import build_parser, main
from cogny_source.sandbox.flags import read_descriptions
from cogny_source.sandbox.history import History, live_on
from cogny_source.sandbox.switches import Switches

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
FRESH = History(seed=3, tickets=50, reports=None, warehouses=2, born_at=NOW.isoformat())


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
    """SIGINT ends it with 130 and one line, even if it comes before it listens."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    assert main(["--tickets", "1"]) == 130
    assert capsys.readouterr().err == "The sandbox is stopped.\n"


@pytest.fixture
def keep_signals() -> Iterator[None]:
    """Put back the signal handlers that `main` sets."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_help_describes_each_option_and_switch(capsys: pytest.CaptureFixture[str]) -> None:
    """With a default; a typing error is told in two lines, not after all of them."""
    assert read_descriptions().keys() == {item.name for item in fields(Switches)}
    for arguments, lines in ((["--help"], range(100, 400)), (["--no-such-switch"], [2])):
        with pytest.raises(SystemExit):
            main(arguments)
        told = "".join(capsys.readouterr())
        assert len(told.splitlines()) in lines
    bare = [action.dest for action in build_parser("cogny sandbox")._actions if not action.help]
    assert bare == []
