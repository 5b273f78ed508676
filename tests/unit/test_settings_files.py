"""dlt's settings files: what is wrong with one is told with its place and without the key."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from cogny_source.errors import ConfigError
from cogny_source.settings_files import check_settings_files
from tests.support.syncs import ROOT

KEY = "sk_live_7f3a9c51"
GOOD = f'[sources.cogny]\napi_key = "{KEY}"\n'
SECTION = b"[sources.cogny]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that dlt reads, empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLT_PROJECT_DIR", raising=False)
    settings = tmp_path / ".dlt"
    settings.mkdir()
    return settings


@pytest.mark.parametrize("name", ["secrets.toml", "config.toml"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (SECTION + f"api_key = {KEY}\n".encode(), "is no TOML at line 2, column 11: write texts in quotes"),
        (SECTION + f'api_key = "{KEY}\n'.encode(), "is no TOML at line 2, column "),
        (SECTION + f"api_key = '{KEY}'\n".encode() * 2, "is no TOML at line 3, column "),
        ((GOOD + GOOD).encode(), "is no TOML at line 3, column 15: "),
        (f"api_key = {KEY}".encode(), "is no TOML at line 1, column 11: "),
        (b"[sources.cogny", "is no TOML at "),
        (b"\xef\xbb\xbf" + GOOD.encode(), "begins with a byte order mark: save it as UTF-8 without one"),
        (GOOD.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (SECTION + b"# caf\xe9\n", "is not UTF-8 in line 2: save it as UTF-8"),
        (GOOD.encode("utf-16-le"), "is no TOML at line 1, column 2"),
    ],
)
def test_file_that_cannot_be_read_is_told_with_its_place(folder: Path, name: str, content: bytes, told: str) -> None:
    """File, line and what mends it; neither the sentence nor its causes hold the key."""
    (folder / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        check_settings_files()
    assert str(caught.value).startswith(f".dlt/{name} {told}")
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_what_is_no_file_is_told(folder: Path) -> None:
    """Dlt would pass over it, and miss the key."""
    (folder / "secrets.toml").mkdir()
    with pytest.raises(ConfigError, match=r"\.dlt/secrets\.toml is a folder: a file belongs there"):
        check_settings_files()
    (folder / "secrets.toml").rmdir()
    (folder / "secrets.toml").symlink_to("secrets.toml")
    with pytest.raises(ConfigError, match=r"\.dlt/secrets\.toml cannot be read: "):
        check_settings_files()
    (folder / "secrets.toml").unlink()
    folder.rmdir()
    folder.touch()
    with pytest.raises(ConfigError, match=r"\.dlt is no folder"):
        check_settings_files()


def test_files_that_are_well_or_not_there_are_taken(folder: Path) -> None:
    """Those of the example, empty ones, and none."""
    check_settings_files()
    (folder / "config.toml").touch()
    (folder / "secrets.toml").write_text((ROOT / ".dlt" / "secrets.toml.example").read_text(encoding="utf-8"))
    check_settings_files()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    check_settings_files()
