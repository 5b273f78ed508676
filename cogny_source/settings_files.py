"""Checks dlt's settings files before dlt reads them: an error names the place of a fault, but no value."""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path

from cogny_source.dlt_internals import list_settings_folders
from cogny_source.errors import ConfigError

NAMES = ("secrets.toml", "config.toml")
PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")
SAVE = "save it as UTF-8"
# The error of dlt's parser quotes the file's text, which may contain the key.
ADVICE = "write texts in quotes, and each section and setting once"


def check_settings_files() -> None:
    """Refuse files that dlt cannot read or would skip silently.

    Raises:
        ConfigError: If there is such a file.
    """
    for folder in list_settings_folders():
        try:
            if not folder.exists():
                continue
            if not folder.is_dir():
                raise ConfigError(f"{folder} is no folder: dlt's settings files lie in a folder of that name")
            for name in NAMES:
                _check_file(folder / name)
        except OSError as exc:
            raise ConfigError(f"the settings in {folder} cannot be read: {exc.strerror}") from None


def _check_file(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        return
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: a file belongs there")
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{path} is UTF-16: {SAVE}")
    if content.startswith(codecs.BOM_UTF8):
        raise ConfigError(f"{path} begins with a byte order mark: {SAVE} without one")
    try:
        tomllib.loads(content.decode())
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise ConfigError(f"{path} is not UTF-8 in line {line}: {SAVE}") from None
    except tomllib.TOMLDecodeError as exc:
        place = PLACE.search(str(exc))
        raise ConfigError(f"{path} is no TOML at {place[1] if place else 'some line'}: {ADVICE}") from None
