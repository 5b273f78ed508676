"""The console writes what it is given."""

from __future__ import annotations

import pytest

from cogny_source.cli.console import PlainConsole


def test_console_shows_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a text is given to it as such, too."""
    PlainConsole().print("[red] :smile: [/x]")
    assert capsys.readouterr().out == "[red] :smile: [/x]\n"
