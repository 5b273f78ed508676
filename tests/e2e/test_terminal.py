"""What the script writes on a terminal, into a log, and nowhere."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script


def test_quiet_prints_nothing(script: Script) -> None:
    """A quiet sync that goes well says nothing at all."""
    done = script("--quiet")
    assert (done.stdout, done.stderr) == ("", "")


def test_json_log_is_one_object_a_line(script: Script) -> None:
    """With JSON logs each line of standard error is an object with time, level, logger and message."""
    lines = [json.loads(line) for line in script("--log-format", "json").stderr.splitlines()]
    assert all(tuple(line)[:5] == ("time", "level", "logger", "message", "run_id") for line in lines)
    assert {line["level"] for line in lines} == {"INFO"}


def test_terminal_session_shows_bars_and_summary(
    sandbox: SandboxServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """Run in a terminal, the script draws its progress and the summary."""
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url, "TERM": "xterm"}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "pipelines" / "cogny_to_duckdb.py")],
        cwd=tmp_path,
        env={**environment, **variables},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while chunk := read_terminal(master):
        shown += chunk
    assert process.wait() == 0
    os.close(master)
    text = shown.decode()
    assert "450 of 450 rows" in text
    assert "To ask it: " in text


def read_terminal(master: int) -> bytes:
    """What the terminal shows next; empty at its end."""
    try:
        return os.read(master, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize("destination", ["duckdb", "parquet"])
def test_pandas_is_left_alone(
    destination: str, tmp_path: Path, environment: dict[str, str], sandbox: SandboxServer
) -> None:
    """A sync does not import pandas, and a data frame can be had in the same process all the same."""
    code = (
        "import sys, duckdb, pyarrow; from cogny_source.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'pandas' not in sys.modules and 'rich' not in sys.modules\n"
        "print(duckdb.sql('SELECT 1 AS a').df(), pyarrow.table({'b': [2]}).to_pandas())"
    )
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "sync", destination, "--quiet"],
        cwd=tmp_path,
        env={**environment, **settings},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "a" in done.stdout
    assert "b" in done.stdout
