"""The places that the command line names: what can be none is refused in a sentence, before anything else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script

COMMANDS = [("status",), ("dashboard",), ("reset", "tickets", "--yes"), ("sync", "duckdb"), ("verify",), ("census",)]
NO_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("command", [*COMMANDS, ("check",)], ids=lambda command: command[0])
def test_pipe_for_a_database_is_refused(cogny: Script, sandbox: SandboxServer, command: tuple[str, ...]) -> None:
    """To open it would wait for ever for somebody to write into it."""
    os.mkfifo("pipe.duckdb")
    done = cogny(*command, "--database", "pipe.duckdb", expect=2)
    assert done.stderr == "Error: --database pipe.duckdb is not a file: name a file\n"
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_other_file_for_a_database_is_refused(cogny: Script, sandbox: SandboxServer, command: tuple[str, ...]) -> None:
    """Before the first request, and it is left as it is."""
    Path("notes.duckdb").write_text("my notes, and more of them")
    done = cogny(*command, "--database", "notes.duckdb", expect=2)
    assert done.stderr == "Error: --database notes.duckdb is not a DuckDB database: name another file\n"
    assert Path("notes.duckdb").read_text() == "my notes, and more of them"
    assert len(sandbox.requests) == 0


def test_folder_for_a_database_is_refused(cogny: Script) -> None:
    """By each command."""
    Path("folder.duckdb").mkdir()
    for command in (*COMMANDS, ("check",)):
        assert "is a directory" in cogny(*command, "--database", "folder.duckdb", expect=2).stderr


def test_empty_file_holds_nothing_yet(cogny: Script) -> None:
    """As a file of which DuckDB has written the beginning; looking makes no database of it."""
    Path("empty.duckdb").touch()
    assert "never synced" in cogny("status", "--database", "empty.duckdb", expect=1).stdout
    assert "nothing was synced there yet" in cogny("dashboard", "--database", "empty.duckdb", expect=2).stderr
    assert Path("empty.duckdb").stat().st_size == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("status", "--database", f"{NO_TEXT}.duckdb"), r"--database is caf\udce9.duckdb, which is no text"),
        (("sync", "duckdb", "--dataset", NO_TEXT), r"--dataset is caf\udce9, which is no text"),
        (("status", "parquet", "--bucket-url", NO_TEXT), r"--bucket-url is caf\udce9, which is no text"),
        (("sync", "duckdb", "--resources", NO_TEXT), r"unknown resource caf\udce9"),
        (("sync", "duckdb", "--start-date", NO_TEXT), r"start_date is 'caf\udce9'"),
        (("dashboard", "--database", "\x1b[2J/x.duckdb"), r"the folder \x1b[2J does not exist"),
    ],
)
def test_names_that_are_no_text_are_shown_and_refused(cogny: Script, arguments: tuple[str, ...], told: str) -> None:
    """Their bytes as escapes."""
    assert told in cogny(*arguments, expect=2).stderr


def test_present_folder_whose_name_is_no_text_is_told(cogny: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database would lie in it."""
    Path(NO_TEXT).mkdir()
    monkeypatch.chdir(NO_TEXT)
    assert "the present folder is " in cogny("status", expect=2).stderr
    monkeypatch.chdir("..")


def test_page_into_a_file_of_any_name(cogny: Script) -> None:
    """It is written, and its name shown."""
    cogny("sync", "duckdb", "--quiet", "--resources", "warehouses")
    assert cogny("dashboard", "--out", f"{NO_TEXT}\n.html").stdout == r"caf\udce9\n.html is written." + "\n"
    assert Path(f"{NO_TEXT}\n.html").exists()


def test_page_takes_the_place_of_files_alone(cogny: Script) -> None:
    """A pipe, or a device such as `/dev/stdout`, stays what it is."""
    cogny("sync", "duckdb", "--quiet", "--resources", "warehouses")
    os.mkfifo("pipe.html")
    assert "pipe.html is a device or a pipe" in cogny("dashboard", "--out", "pipe.html", expect=2).stderr
    assert Path("pipe.html").is_fifo()


def test_missing_temporary_folder_is_told(cogny: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names another."""
    cogny("sync", "duckdb", "--quiet", "--resources", "warehouses")
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    done = cogny("status", expect=2)
    assert done.stderr == ("Error: no temporary folder can be made (No such file or directory); TMPDIR names another\n")
