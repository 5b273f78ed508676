"""SIGINT and SIGTERM end a command with one line, at any moment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.syncs import KEY, ROOT, Script

# A command that signals itself, in the middle of what is given.
CODE = """
import os, signal, sys, threading, time
import click
from cogny_source.cli import interruption
from cogny_source.cli.entry import EntryCommand
from cogny_source.cli.exits import report_failure

interruption.GRACE_SECONDS = 0.1

def act():
    {act}

@click.command(cls=EntryCommand)
def command():
    sys.exit(report_failure(act, verbose=False))

command()
"""
KILL = "os.kill(os.getpid(), signal.{signal})"
SWALLOWED = """try:
        {kill}; time.sleep(60)
    except BaseException:
        time.sleep(60)"""
TURNED = """try:
        {kill}; time.sleep(60)
    except BaseException:
        raise RuntimeError("Query interrupted") from None"""
CALLBACK = """import weakref
    class Thing: pass
    thing = Thing()
    reference = weakref.ref(thing, lambda _: {kill})
    del thing
    time.sleep(60)"""
THREAD = "threading.Thread(target=time.sleep, args=(60,)).start(); {kill}; time.sleep(60)"
PLAIN = "{kill}; time.sleep(60)"
AT_ONCE = "Aborted; what is loaded stays.\n"
IN_THE_END = "Aborted while something did not let go.\n"


def end(act: str, name: str = "SIGINT") -> tuple[int, str]:
    """The exit code and the words of a command that does that."""
    code = CODE.format(act=act.format(kill=KILL.format(signal=name)))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_signal_ends_a_command(name: str, code: int) -> None:
    """With its exit code and one line."""
    assert end(PLAIN, name) == (code, AT_ONCE)


def test_signal_that_comes_twice_at_once_is_one() -> None:
    """`timeout` sends it to the process, and to its group; the second may come at any moment of the end."""
    again = "try:\n        {kill}; time.sleep(60)\n    finally:\n        {kill}; {kill}"
    assert end(again, "SIGTERM") == (143, AT_ONCE)


def test_signal_that_became_another_error_is_one_all_the_same() -> None:
    """A library in the middle of a query tells of an error of its own."""
    assert end(TURNED) == (130, AT_ONCE)


@pytest.mark.parametrize(
    ("act", "told"),
    [(SWALLOWED, IN_THE_END), (CALLBACK, IN_THE_END), (THREAD, AT_ONCE)],
    ids=["swallowed", "in a callback", "a thread goes on"],
)
def test_what_does_not_let_go_is_ended(act: str, told: str) -> None:
    """An exception that is swallowed, a callback that cannot raise, a thread that hangs."""
    assert end(act) == (130, told)


def test_check_ends_while_the_api_is_silent(tmp_path: Path, environment: dict[str, str]) -> None:
    """Nothing waits for its answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": url, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "cogny_source", "check"],
            cwd=tmp_path,
            env={**environment, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, AT_ONCE)


def test_sync_ends_while_it_is_imported(tmp_path: Path, environment: dict[str, str]) -> None:
    """Before there is anything to load."""
    code = "import os, signal, sys\nclass Find:\n    def find_spec(self, name, *_):\n"
    code += "        if name == 'duckdb': os.kill(os.getpid(), signal.SIGTERM)\n"
    code += "sys.meta_path.insert(0, Find())\nfrom cogny_source.cli import main\nmain(['sync', 'duckdb'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (143, AT_ONCE)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("module", ["click", "cogny_source.cli.commands", "cogny_source.cli.sync"])
def test_command_ends_while_it_is_imported(module: str, name: str, code: int) -> None:
    """With one line, whatever import the signal meets; a traceback of forty lines came before."""
    script = "import os, signal, sys\nclass Find:\n    def find_spec(self, name, *_):\n"
    script += f"        if name == {module!r}: os.kill(os.getpid(), signal.{name})\n"
    script += "sys.meta_path.insert(0, Find())\nfrom cogny_source.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr, done.stdout) == (code, AT_ONCE, "")


def test_question_of_a_reset_is_left_by_a_signal(
    sync_here: Script, tmp_path: Path, environment: dict[str, str]
) -> None:
    """With the line and the exit code of every other command; nothing is reset."""
    sync_here()
    command = [sys.executable, "-m", "cogny_source", "reset", "tickets"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        told = b""
        while b"Reset it?" not in told:
            told += os.read(process.stdout.fileno(), 4096)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.decode()) == (130, AT_ONCE)
