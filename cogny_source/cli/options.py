"""The options that commands share: destination, resources, output."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cogny_source.cli.help import DESTINATION
from cogny_source.cli.places import make_target
from cogny_source.destinations.registration import DATASET, Option
from cogny_source.destinations.registry import REGISTRATIONS

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.extract.plan import Census

# A run that is started while another one works on the dataset, such as a slow first load or a resident puller.
WAIT_FOR_RUN_SECONDS = 600.0
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MakeTarget = Callable[[], "Target"]
Command = Callable[..., Any]

# Every destination has a dataset, each with its own help text.
DATASET_HELP = f"Dataset of the tables; of a folder, one in it. Default: {DATASET}, or the folder itself."
# The options of all destinations, for commands that take any of them.
PLACE_OPTIONS = {
    option.name: option for it in REGISTRATIONS.values() for option in it.options if option.name != "dataset"
} | {"dataset": Option("dataset", DATASET_HELP)}


def _as_click(option: Option) -> Callable[[Command], Command]:
    """A destination's option as a click option."""
    kind: Any = click.Path(dir_okay=False, readable=False, path_type=Path) if option.is_file else None
    return click.option(
        option.flag,
        type=click.Choice(option.choices) if option.choices else kind,
        default=option.default,
        show_default=option.default is not None,
        envvar=f"COGNY_{option.name.upper()}",
        help=option.help,
    )


@dataclass(frozen=True)
class Options:
    """The command line's options for a sync.

    Attributes:
        resources: The resources to sync, comma-separated; all if empty.
        start_date: Rows created before it are left out; None for the date that the dataset was loaded with.
        end_date: Load the window by creation time up to it; the watermark does not move.
        full_refresh: Read everything again.
        chunk_rows: Rows loaded at once; fewer if rows are long.
        workers: The most readers of a long first load.
        census: When to compare the whole list of the API with the destination.
        verify: Compare destination and API afterwards.
        verify_contents: How many of the newest contents of reports to fetch again and compare afterwards.
        accept_deletions: Let a census mark any number of rows deleted.
        history: Whether to keep each version of a row; None for the setting.
        contents: Which contents of reports to fetch; None for the setting.
        contents_per_run: The most contents to fetch; None for the setting.
        sandbox: Use the embedded sandbox.
        log_format: `text` or `json`.
        quiet: Warnings and errors only.
        verbose: Print the summary as a table, and the traceback of a failure.
        check: Only test that API and destination can be reached and used.
        wait_for_run: Seconds to wait for another run on this dataset to end.
    """

    resources: str = ""
    start_date: str | None = None
    end_date: str | None = None
    full_refresh: bool = False
    chunk_rows: int | None = None
    workers: int | None = None
    census: Census = "auto"
    verify: bool = False
    verify_contents: int = 0
    accept_deletions: bool = False
    history: bool | None = None
    contents: str | None = None
    contents_per_run: int | None = None
    sandbox: bool = False
    log_format: str = "text"
    quiet: bool = False
    verbose: bool = False
    check: bool = False
    wait_for_run: float = WAIT_FOR_RUN_SECONDS

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


def _refuse_no_names(context: click.Context, param: click.Parameter, value: str) -> str:
    """Refuse `--resources ""`, as of a variable that is not set: it would sync all of them.

    Raises:
        click.BadParameter: If the option is given, and names nothing.
    """
    is_given = context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
    if is_given and not split_names(value):
        raise click.BadParameter("it names no resource; leave the option out for all of them")
    return value


_RESOURCES = click.option(
    "--resources",
    default="",
    callback=_refuse_no_names,
    help="Comma-separated: tickets,reports,warehouses. Default: all.",
)
_ACCEPT_DELETIONS = click.option(
    "--accept-deletions",
    is_flag=True,
    help="Mark deleted whatever the API no longer lists. Without it, more than a tenth of a table fails the run.",
)
_VERIFY_CONTENTS = click.option(
    "--verify-contents",
    type=click.IntRange(min=0),
    is_flag=False,
    flag_value=50,
    default=0,
    metavar="[N]",
    help="Fetch the N newest contents of reports again afterwards, 50 where N is left out, and compare them; exit 1 if"
    " not equal.",
)
_TELLING = [
    click.option("--sandbox", is_flag=True, help="Use an API with made-up data on this machine; needs no key."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    click.option("--quiet", is_flag=True, help="Print warnings and errors only."),
    click.option("--verbose", is_flag=True, help="Print the summary as a table too; end a failure with its traceback."),
]
_START_DATE = click.option(
    "--start-date",
    metavar="DATE",
    help="Leave out rows created before it, such as 2025-02-03. The dataset keeps it; an earlier one later on loads"
    " what is missing, and all loads everything.",
)
_WAIT_FOR_RUN = click.option(
    "--wait-for-run",
    type=Age(),
    metavar="AGE",
    default="10m",
    show_default=True,
    envvar="COGNY_WAIT_FOR_RUN",
    help="How long to wait for another run on this dataset to end; then exit 75.",
)
_READING = [
    click.option("--chunk-rows", type=click.IntRange(min=1), help="Rows loaded at once; of long rows fewer."),
    click.option("--workers", type=click.IntRange(min=1), help="Most readers of a long first load. Default: 8."),
    click.option("--history/--no-history", default=None, help="Keep each version of a row. Default: keep."),
    click.option(
        "--contents",
        type=click.Choice(["new", "all", "never"]),
        help="Fetch the contents of completed reports, a request each: of those completed since the first sync (new),"
        " or all. Default: new.",
    ),
    click.option(
        "--contents-per-run", type=click.IntRange(min=1), help="Most contents of reports in one run. Default: 1000."
    ),
    _WAIT_FOR_RUN,
]
_SYNC = [
    _RESOURCES,
    _START_DATE,
    click.option("--end-date", help="Load only rows created before it; the watermark does not move."),
    click.option("--full-refresh", is_flag=True, help="Read everything again; old rows stay until then."),
    *_READING,
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
    _VERIFY_CONTENTS,
    _ACCEPT_DELETIONS,
    click.option("--check", is_flag=True, help="Prove access to API and destination, and end without a sync."),
    *_TELLING,
]


def sync_options(destination: str) -> Callable[[Command], Command]:
    """Add the options of a sync into a destination; the command is called with `MakeTarget` and `Options`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> Any:
            make_target = _target_maker(destination, values)
            return command(make_target, Options(**values))

        return _apply([*map(_as_click, REGISTRATIONS[destination].options), *_SYNC], call)

    return decorate


def resource_options(command: Command) -> Command:
    """Add the options for resources and output to a command that takes any destination."""
    return _apply([_RESOURCES, *_TELLING], command)


def census_options(command: Command) -> Command:
    """Add the options of a sync that a census and a verification have too."""
    return _apply([_START_DATE, *_READING, _VERIFY_CONTENTS, _ACCEPT_DELETIONS], command)


def any_destination(command: Command) -> Command:
    """Add the argument DESTINATION and the options of all destinations; the command is called with `make_target`."""

    @wraps(command)
    def call(destination: str, **values: Any) -> Any:
        _refuse_foreign(destination)
        make_target = _target_maker(destination, values)
        return command(make_target=make_target, **values)

    names = list(REGISTRATIONS)
    argument = click.argument("destination", type=click.Choice(names), default=names[0], envvar=DESTINATION)
    return _apply([argument, *map(_as_click, PLACE_OPTIONS.values())], call)


def _apply(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _refuse_foreign(destination: str) -> None:
    """Refuse an option of another destination on the command line; variables of other destinations are ignored.

    Raises:
        click.UsageError: If there is one.
    """
    context = click.get_current_context()
    own = {option.name for option in REGISTRATIONS[destination].options}
    for name in sorted(PLACE_OPTIONS.keys() - own):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{PLACE_OPTIONS[name].flag} does not go with {destination}")


def _target_maker(destination: str, values: dict[str, Any]) -> MakeTarget:
    """Move the destination's options out of a command's values."""
    place = {name: values.pop(name) for name in PLACE_OPTIONS.keys() & values.keys()}
    return lambda: make_target(destination, place)
