"""The options of a folder: which places can be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cogny_source.cli import sync_command
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.filesystem.target import make_folder_target
from cogny_source.errors import ConfigError


@pytest.mark.parametrize("name", ["a%20b", "a[1]", "a|b", "a^b", "a\\b"])
def test_delta_tables_are_not_put_where_they_cannot_be_read(name: str, tmp_path: Path) -> None:
    """What deltalake does not open is named before anything is written."""
    with pytest.raises(ConfigError, match="deltalake cannot open a path with"):
        open_folder(str(tmp_path / name), "delta")
    assert open_folder(str(tmp_path / name), "parquet")


def test_url_of_a_local_folder_is_locked_too(tmp_path: Path) -> None:
    """By the same lock as its path."""
    lock = open_folder(str(tmp_path / "a b")).make_lock()
    assert lock is not None
    assert open_folder(f"{tmp_path.as_uri()}/a%20b").make_lock() is lock


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bucket-url", "https://bucket/x"], "name a folder, s3://BUCKET/... or gs://BUCKET/..."),
        (["--bucket-url", "s3://"], "name a folder, s3://BUCKET/... or gs://BUCKET/..."),
        (["--bucket-url", "{file}"], "is a file: name a folder"),
        (["--dataset", "No Such Name"], "use lowercase letters"),
    ],
)
def test_unusable_folders_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    """What is no folder exits with 2 and says what to write instead."""
    (tmp_path / "file").write_text("")
    arguments = [argument.format(file=tmp_path / "file") for argument in arguments]
    done = CliRunner().invoke(sync_command("parquet"), arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--bucket-url", "s3://bucket/x"], "s3fs is not installed: run "),
        (["--bucket-url", "GS://bucket/x"], "gcsfs is not installed: run "),
        (["--table-format", "delta"], "deltalake is not installed: run "),
    ],
)
def test_missing_extra_is_named(arguments: list[str], advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that a folder needs, the message tells how to install it."""
    monkeypatch.setattr("cogny_source.installation._is_installed", lambda _: False)
    done = CliRunner().invoke(sync_command("parquet"), arguments)
    assert done.exit_code == 2
    assert advice in done.output


@pytest.mark.parametrize(("name", "shown"), [("a\nb", r"\n"), ("a\x7fb", r"\x7f"), ("a%b", "%"), ("a\tb", r"\t")])
def test_delta_folder_that_the_library_cannot_open_is_refused(name: str, shown: str, tmp_path: Path) -> None:
    """Before anything is made; the sentence stays on one line."""
    with pytest.raises(ConfigError) as refused:
        make_folder_target(str(tmp_path / name), None, "delta")
    assert str(refused.value).startswith(f"deltalake cannot open a path with {shown}, such as ")
    assert str(refused.value).isprintable()
    make_folder_target(str(tmp_path / name), None, "parquet")
