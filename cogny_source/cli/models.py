"""`cogny models`: tables for analysts, built from the loaded ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import EXIT_FAILED, report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.row_output import as_objects, print_csv, print_table
from cogny_source.cli.streams import dump_for, say, writing_out
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.model_store import ModelStore
    from cogny_source.models.checks import Outcome
    from cogny_source.models.questions import Answer

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EPILOG = """\b
Exit codes: 0 done; 1 the destination refused, or a test found rows that break a rule; 2 usage and settings."""


class TimeZone(click.ParamType[str]):
    """A time zone by its name in the IANA database."""

    name = "time zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(str(value)).key
        except (ValueError, OSError, LookupError):
            self.fail(f"{value!r} is no time zone; write a name such as Europe/Berlin", param, ctx)


_PLACE = [
    click.option(
        "--models-dataset",
        metavar="NAME",
        envvar="COGNY_MODELS_DATASET",
        help="The schema or dataset of the models. Default: that of the tables with _models behind it.",
    ),
    click.option(
        "--models-database",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="COGNY_MODELS_DATABASE",
        help="The DuckDB file for the models of a folder. Default: cogny_models.duckdb.",
    ),
]


def _place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_PLACE):
        command = option(command)
    return command


@click.group("models", short_help="Build tables that answer questions, and test them.")
def models() -> None:
    """Build tables that answer questions: throughput, backlog, time in a status, impact.

    \b
    Examples:
      cogny models build --database growth.duckdb --time-zone Europe/Berlin
      cogny models ask --question 2 --database growth.duckdb
    """


@models.command("build", cls=GroupedCommand, epilog=EPILOG, short_help="Build the models.")
@any_destination
@_place_options
@click.option(
    "--time-zone",
    type=TimeZone(),
    default="UTC",
    show_default=True,
    envvar="COGNY_TIME_ZONE",
    help="Days and weeks begin at midnight there, such as Europe/Berlin.",
)
@click.option(
    "--week-start",
    type=click.Choice(WEEKDAYS),
    metavar="DAY",
    default=WEEKDAYS[0],
    show_default=True,
    envvar="COGNY_WEEK_START",
    help="The first day of a week, such as sunday.",
)
@click.option(
    "--freshness-hours",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Tables that are older count as late.",
)
@verbose_option
def build(
    make_target: MakeTarget,
    models_dataset: str | None,
    models_database: Path | None,
    time_zone: str,
    week_start: str,
    freshness_hours: int,
    verbose: bool,
) -> None:
    """Build the models anew from the loaded tables, which are only read.

    In DuckDB a reader sees the old models or the new ones. In BigQuery each is replaced by itself.

    \b
    Examples:
      cogny models build --database growth.duckdb
      cogny models build parquet --bucket-url exports --models-database models.duckdb
      cogny models build bigquery --project growth-analytics-123 --time-zone Europe/Berlin
    """
    variables = {
        "cogny_timezone": time_zone,
        "cogny_week_start": week_start,
        "cogny_freshness_hours": freshness_hours,
    }

    def run() -> None:
        from cogny_source.models.build import build_models

        with _open(make_target, models_dataset, models_database, is_read_only=False) as store:
            built = build_models(store, variables)
            relation = store.model(built[-1])
            read = "" if store.bytes_read is None else f"; {store.bytes_read / 10**6:,.1f} MB were read"
        say(f"{len(built)} models are built in {relation.schema}{read}.")

    sys.exit(report_failure(run, verbose=verbose))


@models.command("test", cls=GroupedCommand, epilog=EPILOG, short_help="Look for rows that break a rule.")
@any_destination
@_place_options
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@verbose_option
def test(
    make_target: MakeTarget,
    models_dataset: str | None,
    models_database: Path | None,
    output: str,
    verbose: bool,
) -> None:
    """Run the data tests on the models as they are built: keys, laws such as that flow explains the backlog, values.

    A rule that is broken is named, with its first rows. Values that the API does not document are a warning.

    \b
    Examples:
      cogny models test --database growth.duckdb
      cogny models test bigquery --project growth-analytics-123 --format json
    """

    def run() -> int:
        from cogny_source.models.checks import run_tests

        with _open(make_target, models_dataset, models_database) as store:
            outcomes = list(run_tests(store))
        with writing_out():
            _print_outcomes(outcomes, output)
        return EXIT_FAILED if any(outcome.level == "error" for outcome in outcomes) else 0

    sys.exit(report_failure(run, verbose=verbose))


@models.command("ask", cls=GroupedCommand, epilog=EPILOG, short_help="Answer ten questions of a growth team.")
@any_destination
@_place_options
@click.option("--question", type=click.IntRange(min=1), metavar="NUMBER", help="This one alone. Default: all.")
@click.option("--sql", is_flag=True, help="Print the queries in place of the answers.")
@click.option("--format", "output", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@verbose_option
def ask(
    make_target: MakeTarget,
    models_dataset: str | None,
    models_database: Path | None,
    question: int | None,
    sql: bool,
    output: str,
    verbose: bool,
) -> None:
    """Answer the questions, each by one query of the models.

    \b
    Examples:
      cogny models ask --database growth.duckdb
      cogny models ask --question 4 --database growth.duckdb --format csv
      cogny models ask --question 4 --sql --database growth.duckdb
    """

    def run() -> None:
        from cogny_source.models.questions import ask as answer

        with _open(make_target, models_dataset, models_database) as store:
            answers = list(answer(store, question))
        with writing_out():
            _print_answers(answers, "sql" if sql else output)

    sys.exit(report_failure(run, verbose=verbose))


@models.command("init", cls=GroupedCommand, epilog=EPILOG, short_help="Copy the models out as a dbt project.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@any_destination
@click.option("--models-dataset", metavar="NAME", envvar="COGNY_MODELS_DATASET", help="As of `cogny models build`.")
@verbose_option
def init(folder: Path, make_target: MakeTarget, models_dataset: str | None, verbose: bool) -> None:
    """Copy the models into a new folder as a dbt project with a profile for the destination.

    \b
    Examples:
      cogny models init growth-models --database growth.duckdb
      cogny models init growth-models bigquery --project growth-analytics-123
    """

    def run() -> None:
        from cogny_source.destinations.model_store import MODELS_SUFFIX
        from cogny_source.models.export import copy_project

        values = click.get_current_context().params
        dataset = make_target().dataset
        copy_project(folder, dataset, _make_profile(values, models_dataset or f"{dataset}{MODELS_SUFFIX}"))
        say(f"{folder} is a dbt project: cd {folder} && dbt build --profiles-dir .")

    sys.exit(report_failure(run, verbose=verbose))


@models.command("docs", cls=GroupedCommand, epilog=EPILOG, short_help="Write the models' documentation by dbt.")
@any_destination
@_place_options
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="models.html",
    show_default=True,
    help="The file to write; one that is there is replaced.",
)
@click.option("--install", is_flag=True, help="First make an environment for dbt, of 150 to 510 MB.")
@verbose_option
def docs(
    make_target: MakeTarget,
    models_dataset: str | None,
    models_database: Path | None,
    out: Path,
    install: bool,
    verbose: bool,
) -> None:
    """Write one HTML file with the lineage, columns and tests of the models as they are built; dbt makes it.

    dbt may be beside the connector, on the path, or in an environment of its own that --install makes.

    \b
    Examples:
      cogny models docs --database growth.duckdb --install
      cogny models docs --database growth.duckdb --out /var/www/models.html
    """

    def run() -> None:
        from cogny_source.destinations.model_store import MODELS_SUFFIX
        from cogny_source.dlt_internals import find_pipelines_dir
        from cogny_source.models.docs import find_dbt, install_dbt, write_docs

        values = click.get_current_context().params
        dataset = make_target().dataset
        if values["destination"] == "parquet":
            values = {"destination": "duckdb", "database": models_database or Path("cogny_models.duckdb")}
        profile = _make_profile(values, models_dataset or f"{dataset}{MODELS_SUFFIX}")
        kind = str(profile["type"])
        environment = find_pipelines_dir().parent / f"cogny-dbt-{kind}"
        if install:
            install_dbt(environment, kind, say)
        write_docs(find_dbt(environment), dataset, profile, out)
        say(f"{out} is written.")

    sys.exit(report_failure(run, verbose=verbose))


def _make_profile(place: Mapping[str, Any], dataset: str) -> dict[str, object]:
    """An output of dbt's `profiles.yml` for a destination.

    Raises:
        ConfigError: If dbt cannot read it.
    """
    if place["destination"] == "duckdb":
        return {"type": "duckdb", "path": str(place["database"].absolute()), "schema": dataset, "threads": 1}
    if place["destination"] == "bigquery":
        if not place["project"]:
            raise ConfigError("dbt has to know the project: name it with --project")
        located = {"location": place["location"]} if place["location"] else {}
        return {
            "type": "bigquery",
            "method": "oauth",
            "project": place["project"],
            "dataset": dataset,
            "threads": 4,
            **located,
        }
    raise ConfigError("dbt reads no folder: `cogny models build parquet` makes a DuckDB file of its models")


@contextmanager
def _open(
    make_target: MakeTarget, dataset: str | None, database: Path | None, *, is_read_only: bool = True
) -> Iterator[ModelStore]:
    from cogny_source.cli.logs import configure_logging
    from cogny_source.cli.session import open_models
    from cogny_source.destinations.model_store import MODELS_SUFFIX, ModelsPlace
    from cogny_source.destinations.target import check_dataset

    with prepare_process():
        configure_logging("text", quiet=True)
        target = make_target()
        name = dataset or f"{target.dataset}{MODELS_SUFFIX}"
        check_dataset(name, "--models-dataset")
        if name == target.dataset:
            raise ConfigError(f"--models-dataset {name} is the dataset of the loaded tables: name another")
        if not target.is_there():
            raise ConfigError(f"{target.identity}: nothing was synced there yet")
        with open_models(target, ModelsPlace(name, database, is_read_only)) as store:
            yield store


def _print_outcomes(outcomes: list[Outcome], output: str) -> None:
    if output == "json":
        click.echo(dump_for(sys.stdout, [_describe_outcome(outcome) for outcome in outcomes]))
        return
    for outcome in outcomes:
        if outcome.count:
            about = f": {outcome.test.description}" if outcome.test.description else ""
            click.echo(f"{outcome.level.upper()} {outcome.test.name}{about}")
            print_table(outcome.columns, outcome.rows)
            if outcome.count > len(outcome.rows):
                click.echo(f"{outcome.count - len(outcome.rows)} more.")
    levels = [outcome.level for outcome in outcomes]
    counts = ", ".join(f"{levels.count(level)} {level}" for level in ("ok", "warn", "error"))
    click.echo(f"{len(levels)} tests: {counts}.")


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "test": outcome.test.name,
        "level": outcome.level,
        "description": outcome.test.description,
        "broken_rows": outcome.count,
        "first_rows": as_objects(outcome.columns, outcome.rows),
    }


def _print_answers(answers: list[Answer], output: str) -> None:
    if output == "json":
        told = [{"question": it.question.text, "rows": as_objects(it.columns, it.rows)} for it in answers]
        click.echo(dump_for(sys.stdout, told))
        return
    for answer in answers:
        if output == "csv":
            print_csv(answer.columns, answer.rows)
        elif output == "sql":
            # A comment before the query would keep `cogny query` from taking it.
            comment = f"-- {answer.question.text}\n" if len(answers) > 1 else ""
            click.echo(f"{comment}{answer.sql};\n")
        else:
            click.echo(f"{answer.question.number}. {answer.question.text}")
            print_table(answer.columns, [tuple(map(_round, row)) for row in answer.rows])
            click.echo()


def _round(value: Any) -> Any:
    return round(value, 1) if isinstance(value, float) else value
