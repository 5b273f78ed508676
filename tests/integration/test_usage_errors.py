"""What a person sees: usage errors, progress on a terminal, log lines elsewhere, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cogny_source.cli import main, sync_command
from cogny_source.cli.sandbox import run_sandbox
from cogny_source.errors import (
    ConfigError,
)
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script


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
    assert "cogny sync duckdb --sandbox" in shown
    assert "75 another run holds the lock" in shown
    assert "duckdb" in CliRunner().invoke(main, ["sync", "--help"]).output


def test_unreachable_api_fails_with_one_sentence(sync_here: Script) -> None:
    """Without network the run ends with the cause; the wait was bounded by the settings."""
    done = sync_here(
        expect=1, SOURCES__COGNY__BASE_URL="http://127.0.0.1:9/v1", SOURCES__COGNY__MAX_WAIT_SECONDS="0.0001"
    )
    assert done.stderr.splitlines()[-1].startswith("Error: cannot connect to 127.0.0.1:9: connection refused; ")


def test_sandbox_that_cannot_start_is_named(tmp_path: Path) -> None:
    """Where the sandbox's world cannot be read, the sentence says that it did not start."""
    world = tmp_path / "world.json"
    world.write_text("no world")
    with pytest.raises(ConfigError, match="the sandbox did not start"), run_sandbox(world):
        pass
