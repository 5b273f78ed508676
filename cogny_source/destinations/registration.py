"""The description of a destination that needs none of its libraries: name, options, column types, factories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cogny_source.schema import ColumnType

if TYPE_CHECKING:
    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.target import Target

# The default dataset.
DATASET = "cogny_data"


@dataclass(frozen=True)
class Option:
    """A command-line option that names a part of a place; its environment variable is `COGNY_` + the upper-case name.

    Attributes:
        name: Its name as a parameter, such as `bucket_url`.
        help: Its help text.
        default: Its default value; None if the destination chooses one.
        choices: The values that it accepts; empty for any text.
        is_file: Whether the value is the path of a file.
    """

    name: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    is_file: bool = False

    @property
    def flag(self) -> str:
        """The option as typed, such as `--bucket-url`."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class Registration:
    """An entry of `registry.py`.

    Attributes:
        name: Its name on the command line.
        python: The expression by which a Python program makes the destination.
        sync_help: The help text of `cogny sync NAME`.
        options: The options that name a place in it; one of them is `dataset`.
        column_types: Storage format to the name that it gives each column type.
        make_target: Makes a target from the options' values by name. Raises `ConfigError` if the place is impossible.
        adapters: dlt's `destination_type` to the factory of its adapter.
        refused: A sentence for each `destination_type` of dlt that would store rows twice.
    """

    name: str
    python: str
    sync_help: str
    options: tuple[Option, ...]
    column_types: Mapping[str, Mapping[ColumnType, str]]
    make_target: Callable[[Mapping[str, Any]], Target]
    adapters: Mapping[str, Callable[[], DestinationAdapter]]
    refused: Mapping[str, str] = field(default_factory=dict)
