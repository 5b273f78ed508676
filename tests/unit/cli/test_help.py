"""The help: whole sentences in 80 columns, options by destination, and a default destination of `cogny sync`."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.cli.help import find_default_destination
from cogny_source.destinations.registry import REGISTRATIONS

GROUPED = ["check", "verify", "census", "status", "runs", "query", "open", "reset", "dashboard"]


def show(*arguments: str) -> str:
    """What a command prints as its help, in 80 columns."""
    done = CliRunner().invoke(main, [*arguments, "--help"], terminal_width=80)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("group", [(), ("sync",), ("reports",), ("tickets",)], ids=" ".join)
def test_no_sentence_of_a_command_is_cut(group: tuple[str, ...]) -> None:
    """Each has one that is whole, on one line."""
    commands = show(*group).partition("Commands:\n")[2].split("\n\n")[0].splitlines()
    assert len(commands) >= 3
    assert [line for line in commands if not re.fullmatch(r"  [\w-]+ +\S.*\.", line) or line.endswith("...")] == []


@pytest.mark.parametrize("command", GROUPED)
def test_options_of_a_destination_stand_together(command: str) -> None:
    """In a section of its own; what all have stands apart."""
    sections = dict(re.findall(r"^(Options[^:]*):\n((?:  .*\n)+)", show(command), re.MULTILINE))
    assert list(sections) == [*(f"Options of {name}" for name in REGISTRATIONS), "Options"]
    flags = {title: set(re.findall(r"^  (--[\w-]+)", text, re.MULTILINE)) for title, text in sections.items()}
    assert flags["Options of duckdb"] == {"--database"}
    assert flags["Options of parquet"] == {"--bucket-url", "--table-format"}
    assert flags["Options of bigquery"] == {"--project", "--location", "--staging"}
    assert {"--dataset", "--verbose"} <= flags["Options"]


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_examples_of_a_sync_are_commands(name: str) -> None:
    """Whoever installed the command has no folder of scripts."""
    assert f"cogny sync {name}" in show("sync", name)
    assert "pipelines/" not in show("sync", name)


@pytest.mark.parametrize(
    ("variable", "arguments", "named"),
    [
        (None, [], "duckdb"),
        (None, ["--start-date", "soon"], "duckdb"),
        ("parquet", ["--start-date", "soon"], "parquet"),
        ("parquet", ["bigquery"], "bigquery"),
    ],
)
def test_sync_heeds_the_default_destination(
    variable: str | None, arguments: list[str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the other commands do: from the variable, unless one is named."""
    if variable is not None:
        monkeypatch.setenv("COGNY_DESTINATION", variable)
    done = CliRunner().invoke(main, ["sync", *arguments, "--no-such-option"])
    assert (done.exit_code, done.output.splitlines()[0]) == (2, f"Usage: main sync {named} [OPTIONS]")


def test_unknown_default_destination_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable's name."""
    monkeypatch.setenv("COGNY_DESTINATION", "postgres")
    with pytest.raises(click.UsageError, match=r"COGNY_DESTINATION is 'postgres'; it may be duckdb, parquet, bigquery"):
        find_default_destination()


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_resources_that_name_none_are_refused(value: str) -> None:
    """They would sync all of them, where a variable of a script is not set."""
    done = CliRunner().invoke(main, ["sync", "duckdb", "--resources", value])
    assert done.exit_code == 2
    assert "it names no resource; leave the option out for all of them" in done.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--start-date", "yesterday"], "start_date is 'yesterday'; write a date such as 2025-02-03"),
        (["--end-date", "2025-02-03", "--verify"], "census and verify compare whole tables: leave end_date out"),
        (["--resources", "tickets,no_such"], "no_such"),
    ],
)
def test_options_are_checked_before_the_key(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """A wrong one is told of where there is no key yet, and no sandbox leaves a file."""
    monkeypatch.chdir(str(tmp_path))
    for extra in ([], ["--sandbox"]):
        done = CliRunner().invoke(main, ["sync", "duckdb", *arguments, *extra])
        assert done.exit_code == 2
        assert sentence in done.output
