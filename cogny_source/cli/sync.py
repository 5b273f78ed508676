"""`cogny sync`, `verify`, `census` and `check`."""

from __future__ import annotations

import logging
import shlex
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cogny_source.cli.entry import EntryCommand
from cogny_source.cli.exits import EPILOG, EXIT_LOCKED, EXIT_USAGE, report_failure
from cogny_source.cli.help import GroupedCommand, SyncGroup
from cogny_source.cli.options import (
    MakeTarget,
    Options,
    any_destination,
    census_options,
    resource_options,
    sync_options,
)
from cogny_source.cli.process import prepare_process
from cogny_source.cli.sandbox import EmbeddedSandbox, run_sandbox
from cogny_source.cli.streams import OutputFailed, say, writing_out
from cogny_source.destinations.registry import REGISTRATIONS
from cogny_source.engine.cancellation import CancelToken
from cogny_source.errors import CognyError, Stopped, VerificationFailed
from cogny_source.installation import show_python
from cogny_source.plain_text import dump_safe_json, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dlt

    from cogny_source.cli.live_progress import Watch
    from cogny_source.destinations.session import DestinationSession
    from cogny_source.destinations.target import Target
    from cogny_source.engine.run_record import SyncResult
    from cogny_source.monitoring.health import Health
    from cogny_source.settings import Settings

logger = logging.getLogger(__name__)

# The width of the summary in a file or a mail.
SUMMARY_WIDTH = 140
INTERRUPTED = 130


@click.group("sync", cls=SyncGroup)
def sync_group() -> None:
    """Sync the API into a destination.

    \b
    Examples:
      cogny sync --database growth.duckdb
      cogny sync parquet --bucket-url s3://growth/cogny
    """


def sync_command(destination: str) -> click.Command:
    """The command that syncs into a destination.

    Args:
        destination: Its name in the registry, such as `duckdb`.
    """
    return sync_group.commands[destination]


@click.command("verify", cls=GroupedCommand, epilog=EPILOG, short_help="Sync, then compare every row with the API.")
@any_destination
@resource_options
@census_options
def verify(make_target: MakeTarget, **options: Any) -> None:
    """Sync, then compare every row with the API; exit 1 and a table of what differs, if anything does.

    \b
    Examples:
      cogny verify --database growth.duckdb
      cogny verify parquet --bucket-url s3://growth/cogny --resources tickets
    """
    execute(make_target, Options(**options, verify=True))


@click.command(
    "census",
    cls=GroupedCommand,
    epilog=EPILOG,
    short_help="Sync, then list all: mark what is gone, bring what is missing.",
)
@any_destination
@resource_options
@census_options
def census(make_target: MakeTarget, **options: Any) -> None:
    """Sync, then list everything anew: rows that are gone are marked deleted, rows that are missing are brought.

    \b
    Examples:
      cogny census --database growth.duckdb
      cogny census bigquery --project growth-analytics-123 --resources tickets
    """
    execute(make_target, Options(**options, census="always"))


@click.command("check", cls=GroupedCommand, short_help="Try settings, key, clock, rate limit and destination.")
@any_destination
@resource_options
def check(make_target: MakeTarget, **options: Any) -> None:
    """Try settings, key, scopes, clock, rate limit and destination; sync nothing. Exit 0, or 2 if anything fails.

    \b
    Examples:
      cogny check --database growth.duckdb
      cogny check bigquery --project growth-analytics-123 --location EU
    """
    execute(make_target, Options(**options, check=True))


def execute(make_target: MakeTarget, options: Options) -> NoReturn:
    """Sync into a target, and end the process with the result's exit code."""

    def tell(code: int, sentence: str) -> None:
        if code not in (EXIT_LOCKED, INTERRUPTED) and not options.check:
            _call_for_help(code, _judge_failure(sentence))

    def run() -> int | None:
        target = make_target()
        code = _run(target, options)
        if not options.check:
            _look_after(target)
        return code

    sys.exit(report_failure(run, verbose=options.verbose, on_failure=tell, log_format=options.log_format))


def _look_after(target: Target) -> None:
    """After a run that is done, call somebody where the dataset is not well all the same."""
    from cogny_source.cli.session import read_dataset
    from cogny_source.monitoring.alert import is_wanted

    if not is_wanted():
        return
    try:
        health = read_dataset(target, datetime.now(UTC)).health
    except CognyError as error:
        logger.warning("the sync is done, but how the dataset stands cannot be read: %s", error)
        return
    _call_for_help(0, health)


def _judge_failure(sentence: str) -> Health:
    from cogny_source.monitoring.health import Finding, Health, Kind, Level

    return Health((Finding(Kind.RUN_FAILED, Level.ERROR, None, sentence),))


def _call_for_help(code: int, health: Health) -> None:
    from cogny_source.monitoring.alert import describe_alert, send_alert

    name = Path(sys.argv[0]).name
    text = describe_alert("cogny" if name == "__main__.py" else name, code, health)
    if text is not None:
        send_alert(text)


for _destination in REGISTRATIONS.values():
    sync_group.command(
        _destination.name,
        cls=EntryCommand,
        help=_destination.sync_help,
        short_help=_destination.sync_help.partition("\n")[0],
        epilog=EPILOG,
    )(sync_options(_destination.name)(execute))


def _run(target: Target, options: Options) -> int | None:
    """Check or sync a target."""
    from cogny_source.cli.logs import configure_logging
    from cogny_source.cli.session import open_for_loading, pipelines_dir

    # Again with a display, once there is something to show; an alert may fail before.
    configure_logging(options.log_format, quiet=options.quiet)
    with prepare_process():
        _check_options(options)
        if options.check:
            with _settings(options, target.world or pipelines_dir(target) / "sandbox.json") as settings:
                return _check(target, settings, options)
        with open_for_loading(target, options.wait_for_run) as pipeline:
            world = target.world or Path(pipeline.pipelines_dir) / "sandbox.json"
            _sync(pipeline, options, world)
        if not options.quiet and options.log_format == "text":
            say(f"To ask it: {_describe_query(target, options)}")
    return None


def _describe_query(target: Target, options: Options) -> str:
    """A command that shows rows of what was synced, as this program was called."""
    from cogny_source.extract.endpoints import ENDPOINTS, select_resources

    is_command = Path(sys.argv[0]).name == "cogny"
    program = "cogny" if is_command else f"{shlex.quote(show_python())} -m cogny_source"
    table = ENDPOINTS[select_resources(options.names)[0]].table.name
    sql = f'"SELECT status, count(*) AS number FROM {table} GROUP BY status"'
    return " ".join([program, "query", sql, *map(shlex.quote, target.arguments)])


def _check_options(options: Options) -> None:
    """Check what needs neither key nor API first, and before a sandbox keeps a file.

    Raises:
        ConfigError: If a value makes no sense.
    """
    from cogny_source.engine.runner import check_dates
    from cogny_source.extract.endpoints import select_resources

    select_resources(options.names)
    check_dates(options.start_date, options.end_date, compares_all=options.census == "always" or options.verify)


@contextmanager
def _settings(options: Options, world: Path) -> Iterator[Settings]:
    """The settings; with `--sandbox` those of a sandbox that runs within the block."""
    from cogny_source.dlt_settings import resolve_settings

    with run_sandbox(world) if options.sandbox else nullcontext() as sandbox:
        yield resolve_settings(
            chunk_rows=options.chunk_rows,
            workers=options.workers,
            history=options.history,
            contents=options.contents,
            contents_per_run=options.contents_per_run,
            **_sandbox_settings(sandbox),
        )


def _sandbox_settings(sandbox: EmbeddedSandbox | None) -> dict[str, str]:
    return {} if sandbox is None else {"base_url": sandbox.base_url, "api_key": sandbox.api_key}


def _check(target: Target, settings: Settings, options: Options) -> int:
    """Print a line for each thing that a sync needs; returns the exit code."""
    from cogny_source.cli.logs import configure_logging
    from cogny_source.monitoring.preflight import check_all

    configure_logging(options.log_format, quiet=True)
    failed = 0
    for finding in check_all(settings, options.names, target):
        with writing_out():
            if options.log_format == "json":
                click.echo(dump_safe_json({"ok": finding.ok, "message": safe_text(finding.text)}, ascii_only=True))
            else:
                click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {safe_text(finding.text)}")
        failed += not finding.ok
    return EXIT_USAGE if failed else 0


def _sync(pipeline: dlt.Pipeline, options: Options, world: Path) -> None:
    """Sync into a pipeline and show what happened."""
    from cogny_source.destinations.registry import open_session
    from cogny_source.engine.runner import sync

    showing, stop = _open_display(options), CancelToken()
    # From here on a signal makes the run load what is complete and end.
    with _settings(options, world) as settings, showing as watch, stop.on_signals(), _announcing(stop, watch):
        result = sync(
            pipeline,
            settings,
            resources=options.names,
            start_date=options.start_date,
            end_date=options.end_date,
            full_refresh=options.full_refresh,
            census=options.census,
            verify=options.verify,
            verify_contents=options.verify_contents,
            accept_deletions=options.accept_deletions,
            progress=watch,
            stop=stop,
        )
    verified = options.verify or bool(options.verify_contents)
    if verified or not options.quiet:
        try:
            with writing_out():
                _print_result(open_session(pipeline, settings.destination_wait_seconds), result, options)
        except OutputFailed as failure:
            logger.warning("the rows are loaded, but the summary cannot be written: %s", failure.reason)
    if verified:
        _refuse_differences(result)


@contextmanager
def _announcing(stop: CancelToken, watch: Watch | None) -> Iterator[None]:
    """Tell that the run ends, as soon as a signal has come, and what it has loaded."""

    def announce() -> None:
        if watch is not None:
            watch.stop()
        logger.info("stopping: what is complete is loaded first; a second signal ends the run at once")

    try:
        # In a thread: a signal handler may interrupt a write to the same stream.
        with stop.linked().call_after(0.0, announce):
            yield
    except Stopped as stopped:
        stopped.loaded = None if watch is None else watch.describe_loaded()
        raise


def _open_display(options: Options) -> AbstractContextManager[Watch | None]:
    """Set up logging and progress; a quiet run does not import rich, which takes 0.1 s."""
    from cogny_source.cli.logs import configure_logging

    if options.quiet:
        configure_logging(options.log_format, quiet=True)
        return nullcontext()
    from rich.logging import RichHandler

    from cogny_source.cli.console import PlainConsole
    from cogny_source.cli.live_progress import show_progress

    console = PlainConsole(stderr=True)
    live = console.is_terminal and options.log_format == "text"
    handler = RichHandler(console=console, show_path=False, show_time=False) if live else None
    configure_logging(options.log_format, quiet=False, handler=handler)
    return show_progress(console, live=live)


def _print_result(destination: DestinationSession, result: SyncResult, options: Options) -> None:
    """Print the summary, and the differences that a verification found."""
    if options.log_format == "json":
        from cogny_source.cli.json_output import log_differences, log_summary

        if not options.quiet:
            log_summary(result, destination)
        log_differences(result)
        return
    from cogny_source.cli.console import PlainConsole
    from cogny_source.cli.display import print_differences, print_open_tickets, print_summary

    out = PlainConsole()
    if not out.is_terminal:
        out = PlainConsole(width=max(out.width, SUMMARY_WIDTH))
    if not options.quiet:
        with destination.connect():
            print_summary(out, result, destination, verbose=options.verbose)
            if options.sandbox and any(run.resource == "tickets" for run in result.resources):
                print_open_tickets(out, destination)
    if options.verify or options.verify_contents:
        print_differences(out, result, quiet=options.quiet)


def _refuse_differences(result: SyncResult) -> None:
    """Fail if a verification found differences.

    Raises:
        VerificationFailed: If it did.
    """
    faults = sum(not row.fresh for run in result.resources for row in run.counts.differences or ())
    if faults:
        raise VerificationFailed(f"{faults} rows of the database are not as the API lists them; --census mends them")
