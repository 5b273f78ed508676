"""How a command ends: exit code and sentence."""

from __future__ import annotations

import pytest
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException

from cogny_source.cli import exit_code
from cogny_source.cli.exits import report_failure
from cogny_source.cli.live_progress import Watch
from cogny_source.errors import (
    AlreadyRunning,
    AuthError,
    BadRequest,
    CognyError,
    ConfigError,
    ContractError,
    Forbidden,
    LoadFailed,
    ServerError,
    Stopped,
)
from cogny_source.plain_text import safe_text

NAMES = [
    "[/x]",
    "[red]",
    "[link=https://example.com]here[/link]",
    ":smile:",
    "\x1b[2J",
    "a\x07\r\x08b",
    "\u202eb",
    "\ud800",
]


@pytest.mark.parametrize("name", NAMES)
def test_error_shows_what_the_api_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, on the terminal that waits, and to whoever is told of the failure."""

    def fail() -> None:
        raise BadRequest(f"no {name}", code=name)

    told: list[str] = []
    assert report_failure(fail, verbose=False, on_failure=lambda _, sentence: told.append(sentence)) == 1
    assert capsys.readouterr().err == f"Error: no {safe_text(name)} (code {safe_text(name)})\n"
    assert told == [f"Error: no {safe_text(name)} (code {safe_text(name)})"]
    watch = Watch(lambda: 0.0)
    watch.wait(1.0, name)
    assert f"({safe_text(name)})" in watch.status


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
