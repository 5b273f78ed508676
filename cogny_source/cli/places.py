"""The places that the command line names: refused where they cannot be one, before anything else is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogny_source.destinations.registry import REGISTRATIONS
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target


def make_target(destination: str, place: dict[str, Any]) -> Target:
    """The target that a command's options name.

    Their modules are imported here, as dlt below them takes a second: a signal meanwhile is the command's to heed.

    Args:
        destination: Its name in the registry.
        place: The options that name a place, by name.

    Raises:
        ConfigError: If there can be no such place, or dlt's settings files cannot be read.
    """
    _check_texts(place)
    target = REGISTRATIONS[destination].make_target(place)
    from cogny_source.settings_files import check_settings_files

    check_settings_files()
    return target


def _check_texts(place: dict[str, Any]) -> None:
    """Refuse names that are no text: neither DuckDB nor a URL takes their bytes."""
    options = {f"--{name.replace('_', '-')}": value for name, value in sorted(place.items())}
    for name, value in {**options, "the present folder": Path.cwd()}.items():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{name} is {value}, which is no text in the encoding of this system: name another, or set PYTHONUTF8=1"
            ) from None
