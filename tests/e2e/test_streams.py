"""The standard streams: closed, full, read by nobody, or of an encoding that lacks letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script
from tests.support.truth import Ask, assert_exact

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FULL = "No space left on device"
CLOSED = "Bad file descriptor"


@pytest.fixture
def shell(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run the command in a shell, which closes and leads its streams."""

    def run(arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f"exec {sys.executable} -m cogny_source {arguments}"],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "…"), ("latin-1", "\\u2026")])
def test_what_an_encoding_lacks_is_shown_otherwise(shell: Run, encoding: str, shown: str) -> None:
    """The page of the tables holds an ellipsis; click writes UTF-8 for ASCII. As JSON it is JSON all the same."""
    done = shell("schema", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr, shown in done.stdout) == (0, "", True)
    done = shell("schema --format json", PYTHONIOENCODING=encoding)
    assert (done.returncode, json.loads(done.stdout) != [], done.stdout.isascii()) == (0, True, True)


@pytest.mark.parametrize(
    ("redirection", "told"),
    [(">&-", CLOSED), (">/dev/full", FULL), (">/dev/full 2>/dev/full", ""), (">&- 2>&- <&-", "")],
)
def test_command_that_cannot_print_fails_with_one_sentence(shell: Run, redirection: str, told: str) -> None:
    """To print is what it is for."""
    done = shell(f"schema {redirection}")
    assert done.returncode == 1
    assert done.stderr == (f"Error: standard output cannot be written: {told}\n" if told else "")


@pytest.mark.parametrize(
    ("arguments", "code"), [("--help >/dev/full", 1), ("bananas 2>/dev/full", 2), ("bananas 2>&-", 2)]
)
def test_help_and_usage_bear_it_too(shell: Run, arguments: str, code: int) -> None:
    """What the command line itself prints ends with no traceback."""
    done = shell(arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_pipe_that_nobody_reads_ends_as_with_other_programs(environment: dict[str, str]) -> None:
    """Without a word, and with the exit code of SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "cogny_source", "schema"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("redirection", "told"),
    [("| true", "Broken pipe"), (">&-", CLOSED), pytest.param(">&- 2>&- <&-", None, marks=pytest.mark.long)],
)
def test_sync_that_cannot_print_is_done_all_the_same(
    shell: Run, sandbox: SandboxServer, database: Ask, redirection: str, told: str | None
) -> None:
    """The exit code is the sync's, and a line tells where the summary is missing; nothing is printed into a file."""
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    done = shell(f"sync duckdb {redirection}", **settings)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    if told is not None:
        assert f"WARNING the rows are loaded, but the summary cannot be written: {told}\n" in done.stderr
    assert_exact(database, sandbox.world)


def test_verification_ends_with_1_where_its_table_cannot_be_written(
    shell: Run, cogny: Script, sandbox: SandboxServer
) -> None:
    """What it found is the exit code's to tell."""
    cogny("sync", "duckdb", "--quiet", "--resources", "warehouses")
    with duckdb.connect("cogny.duckdb") as connection:
        connection.execute("UPDATE cogny_data.warehouses SET name = 'mine'")
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    done = shell("verify --resources warehouses >/dev/full", **settings)
    assert done.returncode == 1
    assert "Error: 5 rows of the database are not as the API lists them" in done.stderr
