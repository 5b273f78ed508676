"""The destination that a command names, checked before anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogny_source.destinations.registry import REGISTRATIONS
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target


def make_target(destination: str, place: dict[str, Any]) -> Target:
    """The target that a command's options name.

    Called after signals are set up, as importing dlt takes a second.

    Args:
        destination: Its name in the registry.
        place: The values of the destination's options, by name.

    Raises:
        ConfigError: If the target is impossible, or dlt's settings files cannot be read.
    """
    _check_texts(place)
    target = REGISTRATIONS[destination].make_target(place)
    target = replace(target, arguments=_list_arguments(destination, place))
    from cogny_source.settings_files import check_settings_files

    check_settings_files()
    return target


def _list_arguments(destination: str, place: dict[str, Any]) -> tuple[str, ...]:
    """The arguments that name a place: what differs from the defaults."""
    options = REGISTRATIONS[destination].options
    given = [(option.flag, str(place[option.name])) for option in options if place[option.name] is not None]
    defaults = {(option.flag, option.default) for option in options}
    named = [text for pair in given if pair not in defaults for text in pair]
    return (() if destination == next(iter(REGISTRATIONS)) else (destination,)) + tuple(named)


def _check_texts(place: dict[str, Any]) -> None:
    """Refuse values that are not text: neither DuckDB nor a URL accepts arbitrary bytes."""
    options = {f"--{name.replace('_', '-')}": value for name, value in sorted(place.items())}
    for name, value in {**options, "the present folder": Path.cwd()}.items():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ConfigError(
                f"{name} is {value}, which is no text in the encoding of this system: name another, or set PYTHONUTF8=1"
            ) from None
