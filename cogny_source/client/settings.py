"""Where the client's settings come from: arguments, the environment, and dlt's settings files, read without dlt."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cogny_source.errors import ConfigError
from cogny_source.settings import BASE_URL, Settings, make_settings

# What a client has a use for, with the type of each.
KINDS: dict[str, type] = {
    "api_key": str,
    "base_url": str,
    "auth_header": str,
    "requests_per_minute": float,
    "connect_timeout_seconds": float,
    "read_timeout_seconds": float,
    "max_wait_seconds": float,
    "max_outage_seconds": float,
    "max_answer_megabytes": float,
}
# The sync's variables count too; the client's own come first.
PREFIXES = ("COGNY_", "SOURCES__COGNY__")
FILES = ("secrets.toml", "config.toml")
MISSING_KEY = (
    "No API key. Give it, as in Cogny(api_key=...), or set it in the environment: export COGNY_API_KEY=sk_live_...\n"
    'or in .dlt/secrets.toml:  [sources.cogny]  api_key = "sk_live_..."'
)


def resolve_settings(**given: Any) -> Settings:
    """The settings of a client.

    Args:
        **given: Settings by name that win over the environment; None counts as not given.

    Raises:
        ConfigError: If the key is missing, or a value is wrong.
    """
    values: dict[str, Any] = {"base_url": BASE_URL, "requests_per_minute": None, "start_date": None, "api_key": None}
    files = _read_files()
    for name, kind in KINDS.items():
        found = given.get(name)
        if found is None:
            found = next(filter(None, (os.environ.get(prefix + name.upper()) for prefix in PREFIXES)), None)
        if found is None:
            found = files.get(name)
        if found is not None:
            values[name] = _convert(found, name, kind)
    if not values["api_key"]:
        raise ConfigError(MISSING_KEY)
    # The reserve of a sync is kept for these calls.
    return make_settings({**values, "reserve_requests": 0})


def _convert(value: Any, name: str, kind: type) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ConfigError(f"the setting {name} cannot be read") from None


def _read_files() -> dict[str, Any]:
    """The section `sources.cogny` of dlt's files; those of the project win over those of the machine."""
    values: dict[str, Any] = {}
    for path in _list_files():
        section = _read_file(path).get("sources", {})
        section = section.get("cogny", {}) if isinstance(section, dict) else {}
        values = {**(section if isinstance(section, dict) else {}), **values}
    return values


def _list_files() -> Iterator[Path]:
    project = Path(os.environ.get("DLT_PROJECT_DIR") or ".") / ".dlt"
    machine = Path(os.environ["DLT_DATA_DIR"]) if os.environ.get("DLT_DATA_DIR") else None
    if machine is None:
        try:
            machine = Path.home() / ".dlt"
        except RuntimeError:  # there is no home
            machine = project
    return (folder / name for folder in (project, machine) for name in FILES)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # The parser's own message may quote the key.
        raise ConfigError(f"{path} cannot be read: it must be TOML in UTF-8, texts in quotes") from None
