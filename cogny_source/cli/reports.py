"""`cogny reports`: create, follow, read and cancel reports."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.client_options import (
    EPILOG,
    execute,
    format_option,
    limit_option,
    timeout_option,
    verbose_option,
)
from cogny_source.cli.exits import EXIT_FAILED
from cogny_source.cli.report_progress import show_wait
from cogny_source.cli.streams import writing_out
from cogny_source.cli.tables import Column, is_json, print_json, print_object, print_rows, show
from cogny_source.errors import InvalidArgument
from cogny_source.plain_text import safe_text

if TYPE_CHECKING:
    from cogny_source.client import Cogny, ReportContent

COLUMNS: list[Column] = [
    ("id", lambda report: report.id),
    ("status", lambda report: report.status),
    ("created", lambda report: report.created_at),
    ("prompt", lambda report: report.prompt),
]
STATUSES = ("queued", "processing", "completed", "failed", "cancelled")


@click.group("reports")
def reports() -> None:
    """Create, follow, read and cancel reports."""


@reports.command("create", epilog=EPILOG)
@click.option("--warehouse", required=True, metavar="ID", help="The warehouse to ask; see `cogny warehouses list`.")
@click.option("--prompt", required=True, help="The question, up to 2000 characters; - reads it from standard input.")
@click.option("--from", "start", metavar="DATE", help="The first day to look at; needs --to.")
@click.option("--to", "end", metavar="DATE", help="The last day to look at.")
@click.option("--dimension", "dimensions", multiple=True, help="What to split figures by; may be repeated.")
@click.option("--focus-area", "focus_areas", multiple=True, help="What to look at above all; may be repeated.")
@click.option("--visualizations/--no-visualizations", default=None, help="Whether to draw. Default: the API's.")
@click.option("--sql-queries/--no-sql-queries", default=None, help="Whether to show the queries.")
@click.option("--recommendations/--no-recommendations", default=None, help="Whether to recommend.")
@click.option("--max-iterations", type=click.IntRange(1, 100), help="How often to ask anew.")
@click.option("--language", help="The language of the report, such as de.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="A note of your own; may be repeated.")
@click.option("--token", help="Of a create whose answer was lost: the report is looked for first.")
@click.option("--wait", is_flag=True, help="Wait until it is completed; exit 1 if it is not.")
@timeout_option
@format_option
@verbose_option
def create(verbose: bool, output: str | None, wait: bool, timeout: float, **given: Any) -> None:
    """Create a report, and wait for it with --wait.

    It is created once: where the answer is lost the report is looked for, and the error has a token if it is not found.

    \b
    Examples:
      cogny reports create --warehouse wh_123abc --prompt "Why did sign-ups fall last week?" --wait
      cogny reports create --warehouse wh_123abc --prompt - --language de < question.txt
    """

    def act(client: Cogny) -> None:
        report = client.reports.create(**_read_wish(given))
        if wait:
            click.echo(f"report {safe_text(report.id)} is asked for", err=True)
            with show_wait(1) as on_progress:
                report = client.reports.wait(report, timeout, on_progress=on_progress)
        print_object(report.raw, output)

    execute(act, verbose=verbose)


def _read_wish(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `reports.create`."""
    prompt = sys.stdin.read() if given["prompt"] == "-" else given["prompt"]
    start, end = given["start"], given["end"]
    if (start is None) != (end is None):
        raise InvalidArgument("--from and --to", "go together")
    return {
        "warehouse_id": given["warehouse"],
        "prompt": prompt,
        "date_range": None if start is None else (start, end),
        "dimensions": given["dimensions"] or None,
        "focus_areas": given["focus_areas"] or None,
        "include_visualizations": given["visualizations"],
        "include_sql_queries": given["sql_queries"],
        "include_recommendations": given["recommendations"],
        "max_iterations": given["max_iterations"],
        "language": given["language"],
        "metadata": dict(map(_read_pair, given["metadata"])) or None,
        "token": given["token"],
    }


def _read_pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise InvalidArgument("--metadata", "must be NAME=VALUE")
    return name, value


@reports.command("list", epilog=EPILOG)
@click.option("--status", type=click.Choice(STATUSES), help="Those in this status alone.")
@click.option("--warehouse", metavar="ID", help="Those of this warehouse alone.")
@click.option("--created-after", metavar="DATE", help="Those created then or later.")
@click.option("--created-before", metavar="DATE", help="Those created then or earlier.")
@limit_option
@format_option
@verbose_option
def list_reports(verbose: bool, output: str | None, limit: int | None, warehouse: str | None, **filters: Any) -> None:
    """List reports.

    \b
    Examples:
      cogny reports list --status completed --created-after 2025-02-01
      cogny reports list --format json --limit 10
    """
    execute(
        lambda client: print_rows(client.reports.list(warehouse_id=warehouse, **filters), COLUMNS, output, limit),
        verbose=verbose,
    )


@reports.command("get", epilog=EPILOG)
@click.argument("report_id")
@format_option
@verbose_option
def get(report_id: str, output: str | None, verbose: bool) -> None:
    """Show a report as it is now.

    \b
    Example:
      cogny reports get rpt_123abc
    """
    execute(lambda client: print_object(client.reports.get(report_id).raw, output), verbose=verbose)


@reports.command("wait", epilog=EPILOG)
@click.argument("report_ids", nargs=-1, required=True)
@timeout_option
@format_option
@verbose_option
def wait(report_ids: tuple[str, ...], timeout: float, output: str | None, verbose: bool) -> None:
    """Wait until reports are finished.

    Exit 1 if one of them is not completed, or not in time.

    \b
    Example:
      cogny reports wait rpt_123abc rpt_456def --timeout 1800
    """

    def act(client: Cogny) -> None:
        from cogny_source.client import ReportFailed, WaitTimedOut

        try:
            with show_wait(len(report_ids)) as on_progress:
                done = client.reports.wait_all(report_ids, timeout, on_progress=on_progress)
        except (ReportFailed, WaitTimedOut) as error:
            print_rows(error.reports, COLUMNS, output, None)
            raise
        print_rows(done, COLUMNS, output, None)

    execute(act, verbose=verbose)


@reports.command("content", epilog=EPILOG)
@click.argument("report_id")
@format_option
@verbose_option
def content(report_id: str, output: str | None, verbose: bool) -> None:
    """Show the content of a completed report.

    As text on a terminal, else as JSON.

    \b
    Examples:
      cogny reports content rpt_123abc
      cogny reports content rpt_123abc --format json | jq .recommendations
    """

    def act(client: Cogny) -> None:
        found = client.reports.content(report_id)
        with writing_out():
            if is_json(output):
                print_json(found.raw)
            else:
                _print_content(found)

    execute(act, verbose=verbose)


def _print_content(found: ReportContent) -> None:
    from cogny_source.plain_text import safe_lines

    for section in found.sections:
        click.echo(safe_lines(f"# {section.title or '-'}\n\n{section.content or ''}\n"))
        for insight in section.insights:
            click.echo(safe_lines(f"- {insight.content or '-'}"))
        click.echo("")
    for place, recommendation in enumerate(found.recommendations, start=1):
        click.echo(safe_lines(f"{place}. {recommendation.title or '-'} ({recommendation.priority or '-'})"))
        for item in recommendation.action_items:
            click.echo(safe_lines(f"   - {item}"))


@reports.command("stream", epilog=EPILOG)
@click.argument("report_id")
@timeout_option
@format_option
@verbose_option
def stream(report_id: str, timeout: float, output: str | None, verbose: bool) -> None:
    """Follow a report in the making, an event a line.

    Exit 1 if it fails.

    \b
    Example:
      cogny reports stream rpt_123abc
    """

    def act(client: Cogny) -> int:
        last = None
        with writing_out():
            for last in client.reports.stream(report_id, timeout):
                if is_json(output):
                    print_json({"type": last.type, "id": last.id, "data": last.data})
                else:
                    click.echo(f"{last.type:<15}{show(last.data, 200)}")
                    sys.stdout.flush()
        return EXIT_FAILED if last is None or last.type == "error" else 0

    execute(act, verbose=verbose)


@reports.command("cancel", epilog=EPILOG)
@click.argument("report_id")
@format_option
@verbose_option
def cancel(report_id: str, output: str | None, verbose: bool) -> None:
    """Cancel a report that is not finished.

    \b
    Example:
      cogny reports cancel rpt_123abc
    """
    execute(lambda client: print_object(client.reports.cancel(report_id).raw, output), verbose=verbose)
