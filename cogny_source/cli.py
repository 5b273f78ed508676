"""The command line: options shared by all pipelines, exit codes, and failures in one plain sentence."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from cogny_source.destinations.bigquery import Place, make_bigquery_target
from cogny_source.destinations.duckdb_file import make_duckdb_target
from cogny_source.destinations.folder import make_folder_target
from cogny_source.destinations.target import Target
from cogny_source.embedded import EmbeddedSandbox, run_sandbox
from cogny_source.engine.plan import Census
from cogny_source.engine.stop import StopFlag
from cogny_source.errors import (
    AlreadyRunning,
    AuthError,
    CognyError,
    ConfigError,
    Forbidden,
    LoadFailed,
    Stopped,
    VerificationFailed,
)
from cogny_source.process import prepare_process

if TYPE_CHECKING:
    import dlt

    from cogny_source.engine.destination import Destination
    from cogny_source.engine.record import SyncResult
    from cogny_source.engine.runner import Progress

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 75
PIPELINE_NAME = "cogny"
# Into a file or a mail the summary is written as wide as it needs.
SUMMARY_WIDTH = 140
EPILOG = """\b
Exit codes: 0 done; 1 the sync failed; 2 usage, settings or key; 75 another run holds the lock;
130 or 143 stopped by a signal, with what was complete loaded."""


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
        history: Whether each version of a row is kept; None for what the settings say.
        sandbox: Use the embedded sandbox.
        log_format: `text` or `json`.
        quiet: Warnings and errors only.
        verbose: A failure ends with its traceback.
        check: Only prove that API and destination can be reached and used.
    """

    resources: str
    start_date: str | None
    end_date: str | None
    full_refresh: bool
    chunk_rows: int | None
    workers: int | None
    census: Census
    verify: bool
    history: bool | None
    sandbox: bool
    log_format: str
    quiet: bool
    verbose: bool
    check: bool


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every pipeline takes."""
    options = [
        click.option("--resources", default="", help="Comma-separated: tickets,reports,warehouses. Default: all."),
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
        click.option("--history/--no-history", default=None, help="Keep each version of a row. Default: keep."),
        click.option("--check", is_flag=True, help="Prove access to API and destination, and end without a sync."),
        click.option("--sandbox", is_flag=True, help="Use an API with made-up data on this machine; needs no key."),
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option("--quiet", is_flag=True, help="Print warnings and errors only."),
        click.option("--verbose", is_flag=True, help="End a failure with its traceback."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Bring growth tickets, reports and warehouses of the Cogny API into a database."""


@main.group("sync")
def sync_group() -> None:
    """Sync the API into a destination."""


@sync_group.command("duckdb", epilog=EPILOG)
@click.option("--database", type=click.Path(dir_okay=False, path_type=Path), default="cogny.duckdb", show_default=True)
@click.option("--dataset", default="cogny_data", show_default=True, help="Dataset (schema) of the tables.")
@shared_options
def sync_to_duckdb(database: Path, dataset: str, **options: Any) -> None:
    r"""Sync the Cogny API into a DuckDB file.

    \b
    Examples:
      python pipelines/cogny_to_duckdb.py --sandbox
      python pipelines/cogny_to_duckdb.py --database growth.duckdb --resources tickets,reports
      python pipelines/cogny_to_duckdb.py --start-date 2025-01-01 --end-date 2025-02-01
    """
    _execute(lambda: make_duckdb_target(database, dataset), Options(**options))


@sync_group.command("parquet", epilog=EPILOG)
@click.option("--bucket-url", help="A folder, s3://... or gs://... Default: cogny_parquet, or cogny_delta.")
@click.option(
    "--table-format",
    type=click.Choice(["parquet", "delta"]),
    default="parquet",
    show_default=True,
    help="Plain Parquet files, or Delta tables.",
)
@click.option("--dataset", help="A folder in it for the tables. Default: the folder itself.")
@shared_options
def sync_to_parquet(
    bucket_url: str | None, table_format: Literal["parquet", "delta"], dataset: str | None, **options: Any
) -> None:
    r"""Sync the Cogny API into a folder of Parquet files, which hold each row once.

    \b
    Examples:
      python pipelines/cogny_to_parquet.py --sandbox
      python pipelines/cogny_to_parquet.py --bucket-url s3://growth/cogny
      python pipelines/cogny_to_parquet.py --bucket-url exports --table-format delta
    """
    _execute(
        lambda: make_folder_target(bucket_url or f"cogny_{table_format}", dataset, table_format), Options(**options)
    )


@sync_group.command("bigquery", epilog=EPILOG)
@click.option("--project", help="The Google Cloud project. Default: the credentials' own.")
@click.option("--dataset", default="cogny_data", show_default=True, help="The dataset; for this pipeline alone.")
@click.option("--location", help="Where a new dataset is made, such as EU. Default: US.")
@click.option("--staging", help="A bucket that files travel through, gs://... Default: none.")
@shared_options
def sync_to_bigquery(
    project: str | None, dataset: str, location: str | None, staging: str | None, **options: Any
) -> None:
    r"""Sync the Cogny API into a BigQuery dataset.

    \b
    Examples:
      python pipelines/cogny_to_bigquery.py --project growth-analytics-123 --location EU --check
      python pipelines/cogny_to_bigquery.py --project growth-analytics-123 --location EU
    """
    place = Place(project, dataset, location, staging)
    _execute(lambda: make_bigquery_target(place), Options(**options))


def _execute(make_target: Callable[[], Target], options: Options) -> NoReturn:
    """Sync into a target, and end the process with the exit code that tells how it went."""
    stop = StopFlag()
    with stop.on_signals():
        code = _report_failure(lambda: _sync(make_target, options, stop), verbose=options.verbose)
    sys.exit(code)


def _sync(make_target: Callable[[], Target], options: Options, stop: StopFlag) -> None:
    """Sync into a target."""
    target = make_target()
    with prepare_process():
        _open_and_run(target, options, stop)


def _open_and_run(target: Target, options: Options, stop: StopFlag) -> None:
    """Open the target's pipeline under its lock, and sync into it."""
    import dlt
    from dlt.common.pipeline import get_dlt_pipelines_dir

    from cogny_source.engine.workspace import hold_lock, open_pipeline

    # One working directory a target: what one has pending must never be loaded into another.
    digest = hashlib.sha256(target.identity.encode()).hexdigest()[:12]
    pipelines_dir = Path(get_dlt_pipelines_dir()) / f"{PIPELINE_NAME}-{digest}"
    destination, staging = target.make(), target.make_staging() if target.make_staging else None

    def make() -> dlt.Pipeline:
        return dlt.pipeline(
            PIPELINE_NAME,
            pipelines_dir=str(pipelines_dir),
            destination=destination,
            staging=staging,
            dataset_name=target.dataset,
        )

    world = target.world or pipelines_dir / "sandbox.json"
    with hold_lock(pipelines_dir, PIPELINE_NAME), _explaining(target):
        _run(open_pipeline(make, pipelines_dir, PIPELINE_NAME), options, stop, world, target)


@contextmanager
def _explaining(target: Target) -> Iterator[None]:
    """Let the target tell what a refusal of its own means."""
    try:
        yield
    except LoadFailed as error:
        told = target.explain(error) if target.explain else None
        if told is None:
            raise
        raise told from error


def _run(pipeline: dlt.Pipeline, options: Options, stop: StopFlag, world: Path, target: Target) -> None:
    """Sync into a pipeline and show what happened."""
    from cogny_source.check import check
    from cogny_source.engine.destination import Destination
    from cogny_source.engine.runner import sync
    from cogny_source.settings import resolve_settings

    showing = _open_display(options)
    # The flag lets a load finish; dlt's own handlers would interrupt it.
    pipeline.runtime_config.intercept_signals = False
    with run_sandbox(world) if options.sandbox else nullcontext() as sandbox:
        settings = resolve_settings(
            chunk_rows=options.chunk_rows,
            workers=options.workers,
            history=options.history,
            **_sandbox_settings(sandbox),
        )
        if options.check:
            for line in check(pipeline, settings, _split(options.resources), target.probe):
                click.echo(line)
            return
        with showing as progress:
            result = sync(
                pipeline,
                settings,
                resources=_split(options.resources),
                start_date=options.start_date,
                end_date=options.end_date,
                full_refresh=options.full_refresh,
                census=options.census,
                verify=options.verify,
                progress=progress,
                stop=stop,
            )
    if options.verify or not options.quiet:
        _print_result(Destination(pipeline, settings.destination_wait_seconds, stop.sleep), result, options)
    if not options.quiet:
        click.echo(f"To open the database: {target.show}")


def _open_display(options: Options) -> AbstractContextManager[Progress | None]:
    """Set logging up, and make what shows the progress; a quiet run does without rich, whose import takes 0.1 s."""
    from cogny_source.logs import configure_logging

    if options.quiet:
        configure_logging(options.log_format, quiet=True)
        return nullcontext()
    from rich.console import Console
    from rich.logging import RichHandler

    from cogny_source.display import show_progress

    console = Console(stderr=True)
    live = console.is_terminal and options.log_format == "text"
    handler = RichHandler(console=console, show_path=False, show_time=False) if live else None
    configure_logging(options.log_format, quiet=False, handler=handler)
    return show_progress(console)


def _print_result(destination: Destination, result: SyncResult, options: Options) -> None:
    """Print what was done, and what a verification found.

    Raises:
        VerificationFailed: If it found rows that differ.
    """
    from rich.console import Console

    from cogny_source.display import print_differences, print_open_tickets, print_summary

    out = Console()
    if not out.is_terminal:
        out = Console(width=max(out.width, SUMMARY_WIDTH))
    if not options.quiet:
        with destination.hold():
            print_summary(out, result, destination)
            if options.sandbox and any(run.resource == "tickets" for run in result.resources):
                print_open_tickets(out, destination)
    faults = print_differences(out, result, quiet=options.quiet) if options.verify else 0
    if faults:
        raise VerificationFailed(f"{faults} rows of the database are not as the API lists them; --census mends them")


def _sandbox_settings(sandbox: EmbeddedSandbox | None) -> dict[str, str]:
    return {} if sandbox is None else {"base_url": sandbox.base_url, "api_key": sandbox.api_key}


def _split(names: str) -> Sequence[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _report_failure(command: Callable[[], None], *, verbose: bool) -> int:
    """Run a command; turn its failure into a sentence on standard error and an exit code."""
    try:
        command()
    except CognyError as error:
        if verbose:
            import traceback

            traceback.print_exc()
        stopped = f"The run was {error}; the next one goes on from what is loaded."
        click.echo(stopped if isinstance(error, Stopped) else f"Error: {error}", err=True)
        return exit_code(error)
    except KeyboardInterrupt:  # a second Ctrl-C
        click.echo("Aborted; the next run goes on from the last chunk that was loaded.", err=True)
        return exit_code(Stopped(signal.SIGINT))
    return 0


def exit_code(error: CognyError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, Stopped):
        return 128 + error.signal_number
    if isinstance(error, AlreadyRunning):
        return EXIT_LOCKED
    if isinstance(error, ConfigError | AuthError | Forbidden):
        return EXIT_USAGE
    return EXIT_FAILED
