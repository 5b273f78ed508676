"""The options that commands share: where to, what, and how it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cogny_source.cli.places import DATASET, make_target

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.extract.plan import Census

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MakeTarget = Callable[[], "Target"]
Command = Callable[..., Any]

_DATABASE = click.option(
    "--database",
    type=click.Path(dir_okay=False, readable=False, path_type=Path),
    default="cogny.duckdb",
    show_default=True,
    envvar="COGNY_DATABASE",
    help="The DuckDB file.",
)
_BUCKET_URL = click.option(
    "--bucket-url",
    envvar="COGNY_BUCKET_URL",
    help="A folder, s3://... or gs://... Default: cogny_parquet, or cogny_delta.",
)
_TABLE_FORMAT = click.option(
    "--table-format",
    type=click.Choice(["parquet", "delta"]),
    default="parquet",
    show_default=True,
    envvar="COGNY_TABLE_FORMAT",
    help="Plain Parquet files, or Delta tables.",
)
_PROJECT = click.option(
    "--project", envvar="COGNY_PROJECT", help="The Google Cloud project. Default: the credentials' own."
)
_LOCATION = click.option(
    "--location", envvar="COGNY_LOCATION", help="Where a new dataset is made, such as EU. Default: US."
)
_STAGING = click.option(
    "--staging", envvar="COGNY_STAGING", help="A bucket that files travel through, gs://... Default: none."
)


def _dataset(text: str) -> Callable[[Command], Command]:
    return click.option("--dataset", envvar="COGNY_DATASET", help=text)


OPTIONS_OF: dict[str, list[Callable[[Command], Command]]] = {
    "duckdb": [_DATABASE, _dataset(f"Dataset (schema) of the tables. Default: {DATASET}.")],
    "parquet": [_BUCKET_URL, _TABLE_FORMAT, _dataset("A folder in it for the tables. Default: the folder itself.")],
    "bigquery": [
        _PROJECT,
        _dataset(f"The dataset; for this pipeline alone. Default: {DATASET}."),
        _LOCATION,
        _STAGING,
    ],
}
# By name, for commands that take any destination; `dataset` belongs to each.
NAMES_OF = {
    "duckdb": {"database"},
    "parquet": {"bucket_url", "table_format"},
    "bigquery": {"project", "location", "staging"},
}
PLACE_NAMES = {"dataset"}.union(*NAMES_OF.values())


@dataclass(frozen=True)
class Options:
    """What the command line said.

    Attributes:
        resources: The resources to sync; all where empty.
        start_date: Rows created before it are left out.
        end_date: With it, a window by creation time is loaded and no watermark moves.
        full_refresh: Read everything again.
        chunk_rows: Rows loaded at once; of long rows fewer.
        workers: The most readers that share a long first load.
        census: When to hold all that the API lists against the destination.
        verify: Compare the destination with the API afterwards.
        accept_deletions: Let a census mark however many rows the API no longer lists.
        history: Whether each version of a row is kept; None for what the settings say.
        sandbox: Use the embedded sandbox.
        log_format: `text` or `json`.
        quiet: Warnings and errors only.
        verbose: A failure ends with its traceback.
        check: Only prove that API and destination can be reached and used.
    """

    resources: str = ""
    start_date: str | None = None
    end_date: str | None = None
    full_refresh: bool = False
    chunk_rows: int | None = None
    workers: int | None = None
    census: Census = "auto"
    verify: bool = False
    accept_deletions: bool = False
    history: bool | None = None
    sandbox: bool = False
    log_format: str = "text"
    quiet: bool = False
    verbose: bool = False
    check: bool = False

    @property
    def names(self) -> list[str]:
        """The resources by name."""
        return split_names(self.resources)


class Age(click.ParamType[float]):
    """A span of time such as `90m`, `3h` or `2d`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it as seconds."""
        found = re.fullmatch(r"(\d+)([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no age; write 90m, 3h or 2d", param, ctx)
        return float(found[1]) * SECONDS[found[2]]


def split_names(text: str) -> list[str]:
    """The names in a text, with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


max_age_option = click.option(
    "--max-age",
    type=Age(),
    metavar="AGE",
    help="Data that is older is an error, such as 90m, 3h or 2d. Default: by the usual pause between two runs.",
)
judged_resources_option = click.option(
    "--resources",
    default="",
    help="Comma-separated; they must be synced. Default: those that the dataset is synced for.",
)
verbose_option = click.option("--verbose", is_flag=True, help="End a failure with its traceback.")
_RESOURCES = click.option("--resources", default="", help="Comma-separated: tickets,reports,warehouses. Default: all.")
_ACCEPT_DELETIONS = click.option(
    "--accept-deletions",
    is_flag=True,
    help="Mark deleted whatever the API no longer lists. Without it, more than a tenth of a table fails the run.",
)
_TELLING = [
    click.option("--sandbox", is_flag=True, help="Use an API with made-up data on this machine; needs no key."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    click.option("--quiet", is_flag=True, help="Print warnings and errors only."),
    verbose_option,
]
_SYNC = [
    _RESOURCES,
    click.option("--start-date", help="Leave out rows created before it, such as 2025-02-03."),
    click.option("--end-date", help="Load only rows created before it; the watermark does not move."),
    click.option("--full-refresh", is_flag=True, help="Read everything again; old rows stay until then."),
    click.option("--chunk-rows", type=click.IntRange(min=1), help="Rows loaded at once; of long rows fewer."),
    click.option("--workers", type=click.IntRange(min=1), help="Most readers of a long first load. Default: 8."),
    click.option(
        "--census",
        type=click.Choice(["never", "auto", "always"]),
        is_flag=False,
        flag_value="always",
        default="auto",
        show_default=True,
        help="List everything anew, mark rows that are gone and bring those that are missing: where the counts"
        " of API and database differ (auto), or now (--census alone).",
    ),
    click.option(
        "--verify", is_flag=True, help="Compare database and API afterwards, row for row; exit 1 if not equal."
    ),
    _ACCEPT_DELETIONS,
    click.option("--history/--no-history", default=None, help="Keep each version of a row. Default: keep."),
    click.option("--check", is_flag=True, help="Prove access to API and destination, and end without a sync."),
    *_TELLING,
]


def sync_options(destination: str) -> Callable[[Command], Command]:
    """Give a command the options of a sync into a destination; it is called with `MakeTarget` and `Options`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> Any:
            make_target = _target_maker(destination, values)
            return command(make_target, Options(**values))

        return _apply([*OPTIONS_OF[destination], *_SYNC], call)

    return decorate


def resource_options(command: Command) -> Command:
    """Give a command that takes any destination the choice of resources, and how it is told."""
    return _apply([_RESOURCES, *_TELLING], command)


def census_options(command: Command) -> Command:
    """Give a command that may mark many rows deleted the option that accepts them."""
    return _apply([_ACCEPT_DELETIONS], command)


def any_destination(command: Command) -> Command:
    """Give a command the argument DESTINATION and the options of all; it is called with `make_target`."""

    @wraps(command)
    def call(destination: str, **values: Any) -> Any:
        _refuse_foreign(destination)
        make_target = _target_maker(destination, values)
        return command(make_target=make_target, **values)

    options = [_DATABASE, _BUCKET_URL, _TABLE_FORMAT, _PROJECT, _LOCATION, _STAGING]
    dataset = _dataset(f"Dataset of the tables; of a folder, one in it. Default: {DATASET}, or the folder itself.")
    argument = click.argument(
        "destination", type=click.Choice(list(OPTIONS_OF)), default="duckdb", envvar="COGNY_DESTINATION"
    )
    return _apply([argument, *options, dataset], call)


def _apply(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _refuse_foreign(destination: str) -> None:
    """Refuse an option of another destination; what a variable says for another is none of this one's business.

    Raises:
        click.UsageError: If there is one on the command line.
    """
    context = click.get_current_context()
    for name in sorted(PLACE_NAMES - NAMES_OF[destination] - {"dataset"}):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} does not go with {destination}")


def _target_maker(destination: str, values: dict[str, Any]) -> MakeTarget:
    """Take what names the place out of a command's values."""
    place = {name: values.pop(name) for name in PLACE_NAMES & values.keys()}
    return lambda: make_target(destination, place)
