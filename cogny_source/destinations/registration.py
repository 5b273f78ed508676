"""What the connector knows of a destination without importing its libraries: name, options, types, how to begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cogny_source.schema import ColumnType

if TYPE_CHECKING:
    from cogny_source.destinations.adapter import DestinationAdapter
    from cogny_source.destinations.target import Target

# The dataset where none is named.
DATASET = "cogny_data"


@dataclass(frozen=True)
class Option:
    """An option of the command line that names a part of a place; its variable is `COGNY_` and the name in capitals.

    Attributes:
        name: Its name as a parameter, such as `bucket_url`.
        help: Its help text.
        default: Its default value; None where the destination chooses.
        choices: The values that it takes; any text where empty.
        is_file: Whether the value is a path of a file.
    """

    name: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    is_file: bool = False

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class Registration:
    """A destination as `registry.py` lists it.

    Attributes:
        name: Its name on the command line.
        python: How a Python program makes the destination.
        sync_help: The help text of `cogny sync NAME`.
        options: The options that name a place in it; one of them is `dataset`.
        column_types: The types that a reader finds, by storage format and type of column.
        make_target: Makes a target of the options' values by name. Raises `ConfigError` where there can be no such
            place.
        adapters: The adapter for each `destination_type` of dlt that it takes.
        refused: A sentence for each `destination_type` of dlt that would hold rows twice.
    """

    name: str
    python: str
    sync_help: str
    options: tuple[Option, ...]
    column_types: Mapping[str, Mapping[ColumnType, str]]
    make_target: Callable[[Mapping[str, Any]], Target]
    adapters: Mapping[str, Callable[[], DestinationAdapter]]
    refused: Mapping[str, str] = field(default_factory=dict)
