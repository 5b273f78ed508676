"""What a person sees: usage errors, progress on a terminal, log lines elsewhere, exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException

from cogny_source.cli import exit_code, main, sync_command
from cogny_source.cli.exits import report_failure
from cogny_source.cli.sandbox import run_sandbox
from cogny_source.errors import (
    AlreadyRunning,
    AuthError,
    CognyError,
    ConfigError,
    ContractError,
    Forbidden,
    LoadFailed,
    ServerError,
    Stopped,
)
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, ROOT, Script


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (AuthError("x"), 2),
        (Forbidden("x"), 2),
        (AlreadyRunning("x"), 75),
        (ServerError("x"), 1),
        (ContractError("x"), 1),
        (LoadFailed("x"), 1),
        (Stopped(2), 130),
        (Stopped(15), 143),
    ],
)
def test_exit_codes_tell_what_to_do(error: CognyError, code: int) -> None:
    """Each kind of failure has its exit code."""
    assert exit_code(error) == code


def test_setting_of_dlt_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name, with the exit code of a setting."""

    def fail() -> None:
        raise ConfigValueCannotBeCoercedException("request_timeout", "x", float)

    assert report_failure(fail, verbose=False) == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: a setting of dlt's own cannot be read: ConfigValueCannotBeCoercedException: ")
    assert "request_timeout" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resources", "bananas"], "unknown resource bananas; there are tickets, reports, warehouses"),
        (["--database", "nowhere/cogny.duckdb"], "the folder nowhere does not exist"),
        (["--start-date", "soon"], "start_date is 'soon'"),
        (["--chunk-rows", "0"], "--chunk-rows"),
        (["--bananas"], "No such option"),
    ],
)
def test_usage_errors_exit_with_2(
    sync_here: Script, sandbox: SandboxServer, arguments: list[str], message: str
) -> None:
    """What cannot be meant is refused with one sentence, before the first request."""
    done = sync_here(*arguments, expect=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BASE_URL", "http://api.cogny.com/v1", "base_url must begin with https://"),
        ("AUTH_HEADER", "basic", "auth_header is 'basic'"),
        ("REQUESTS_PER_MINUTE", "many", "requests_per_minute"),
    ],
)
def test_wrong_settings_exit_with_2(sync_here: Script, name: str, value: str, message: str) -> None:
    """A setting that cannot work is named."""
    done = sync_here(expect=2, **{f"SOURCES__COGNY__{name}": value})
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_shows_examples_and_exit_codes() -> None:
    """`--help` of the scripts and of the command has examples and tells the exit codes."""
    shown = CliRunner().invoke(sync_command("duckdb"), ["--help"]).output
    assert "python pipelines/cogny_to_duckdb.py --sandbox" in shown
    assert "75 another run holds the lock" in shown
    assert "duckdb" in CliRunner().invoke(main, ["sync", "--help"]).output


def test_quiet_prints_nothing(script: Script) -> None:
    """A quiet sync that goes well says nothing at all."""
    done = script("--quiet")
    assert (done.stdout, done.stderr) == ("", "")


def test_json_log_is_one_object_a_line(script: Script) -> None:
    """With JSON logs each line of standard error is an object with time, level, logger and message."""
    lines = [json.loads(line) for line in script("--log-format", "json").stderr.splitlines()]
    assert {tuple(line) for line in lines} == {("time", "level", "logger", "message")}
    assert {line["level"] for line in lines} == {"INFO"}


def test_unreachable_api_fails_with_one_sentence(sync_here: Script) -> None:
    """Without network the run ends with the cause; the wait was bounded by the settings."""
    done = sync_here(
        expect=1, SOURCES__COGNY__BASE_URL="http://127.0.0.1:9/v1", SOURCES__COGNY__MAX_WAIT_SECONDS="0.0001"
    )
    assert done.stderr.splitlines()[-1].startswith("Error: the connection failed or was reset")


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
    assert "To open the database: " in text


def read_terminal(master: int) -> bytes:
    """What the terminal shows next; empty at its end."""
    try:
        return os.read(master, 65536)
    except OSError:
        return b""


def test_sandbox_that_cannot_start_is_named(tmp_path: Path) -> None:
    """Where the sandbox's world cannot be read, the sentence says that it did not start."""
    world = tmp_path / "world.json"
    world.write_text("no world")
    with pytest.raises(ConfigError, match="the sandbox did not start"), run_sandbox(world):
        pass


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
