"""The effective settings, and where each comes from; names that no setting has are told too."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cogny_source.dlt_internals import find_kind, find_origin, list_settings_folders
from cogny_source.dlt_settings import ALERT_WEBHOOK, CognyConfiguration, find_key, read_configuration
from cogny_source.settings_files import NAMES

SECTION = ("sources", "cogny")
PREFIX = "SOURCES__COGNY__"
DEFAULT = "default"
NOT_SET = "not set"
# No setting of these is shown, but for the prefix that says what kind of key it is.
KINDS_OF_KEYS = ("sk_live_", "sk_test_", "cogny_lite_")
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class EffectiveSetting:
    """A setting as a sync would use it.

    Attributes:
        name: Its name below `sources.cogny`, or the variable of a command's option.
        value: Its value; None if it has none. A secret is hidden.
        origin: A variable's name, a file's path, `default`, or `not set`.
    """

    name: str
    value: Any
    origin: str


def list_settings(variables: Mapping[str, str]) -> list[EffectiveSetting]:
    """The settings of a sync, then the variables of the commands' options that are set.

    Args:
        variables: The variables that commands read, each with the option that it stands for.

    Raises:
        ConfigError: If dlt cannot read its settings files, or a value is of another type.
    """
    return [*_list_configuration(), *_list_variables(variables)]


def list_unknown() -> list[str]:
    """What looks like a setting and is none: variables and keys in files, each with its place."""
    known = {*CognyConfiguration.get_resolvable_fields(), ALERT_WEBHOOK}
    variables = [
        name
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and name.upper()[len(PREFIX) :].lower() not in known
    ]
    # dlt reads variables in capitals alone.
    variables += [name for name in sorted(os.environ) if name != name.upper() and name.upper().startswith(PREFIX)]
    keys = [f"{name} in {path}" for path, names in _read_files() for name in names if name not in known]
    return list(dict.fromkeys([*variables, *keys]))


def _list_configuration() -> Iterator[EffectiveSetting]:
    kinds = {name: find_kind(hint) for name, hint in CognyConfiguration.get_resolvable_fields().items()}
    values = read_configuration()
    for name, value in values.items():
        origin = find_origin(".".join((*SECTION, name)), kinds[name])
        if name == "api_key":
            key, source = find_key(value)
            yield EffectiveSetting(name, _hide(key), (origin or source or NOT_SET) if key else NOT_SET)
        else:
            yield EffectiveSetting(name, value, origin or DEFAULT)
    origin = find_origin(".".join((*SECTION, ALERT_WEBHOOK)), str)
    yield EffectiveSetting(ALERT_WEBHOOK, HIDDEN if origin else None, origin or NOT_SET)


def _list_variables(variables: Mapping[str, str]) -> Iterator[EffectiveSetting]:
    for name, option in variables.items():
        if value := os.environ.get(name):
            yield EffectiveSetting(option, value, name)


def _hide(key: str | None) -> str | None:
    kind = next((kind for kind in KINDS_OF_KEYS if key and key.startswith(kind)), "")
    return f"{kind}… {HIDDEN}" if key else None


def _read_files() -> Iterator[tuple[Path, list[str]]]:
    """The names below the section in each settings file; a file that cannot be read was refused before."""
    for folder in list_settings_folders():
        for path in (folder / name for name in NAMES):
            with suppress(OSError, ValueError):
                found: Any = tomllib.loads(path.read_text(encoding="utf-8"))
                for section in SECTION:
                    found = found.get(section) if isinstance(found, dict) else None
                if isinstance(found, dict):
                    yield path, list(found)
