"""`cogny tickets`: list, change, dismiss, count and export tickets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.client_options import (
    EPILOG,
    Command,
    confirm,
    execute,
    format_option,
    limit_option,
    verbose_option,
)
from cogny_source.cli.streams import say, writing_out
from cogny_source.cli.tables import Column, print_object, print_rows
from cogny_source.errors import InvalidArgument
from cogny_source.file_output import STDOUT, check_place, write_whole
from cogny_source.formatting import count
from cogny_source.plain_text import safe_text

if TYPE_CHECKING:
    from cogny_source.client import Cogny

COLUMNS: list[Column] = [
    ("id", lambda ticket: ticket.id),
    ("priority", lambda ticket: ticket.priority),
    ("status", lambda ticket: ticket.status),
    ("increase %", lambda ticket: ticket.estimated_impact and ticket.estimated_impact.increase_percentage),
    ("updated", lambda ticket: ticket.updated_at),
    ("title", lambda ticket: ticket.title),
]
STATUSES = ("open", "in_progress", "completed", "dismissed")
PRIORITIES = ("critical", "high", "medium", "low")
REASONS = ("not_applicable", "already_implemented", "insufficient_impact", "resource_constraints", "other")
FORMATS = ("csv", "json", "xlsx", "jira", "asana", "linear")


def _filter_options(command: Command) -> Command:
    options: list[Callable[[Command], Command]] = [
        click.option("--status", type=click.Choice(STATUSES), help="Those in this status alone."),
        click.option("--priority", type=click.Choice(PRIORITIES), help="Those of this priority alone."),
        click.option("--category", help="Those of this category alone, such as retention."),
        click.option("--warehouse", "warehouse_id", metavar="ID", help="Those of this warehouse alone."),
        click.option("--created-after", metavar="DATE", help="Those created then or later."),
        click.option("--created-before", metavar="DATE", help="Those created then or earlier."),
        click.option("--updated-after", metavar="DATE", help="Those changed then or later."),
    ]
    return _apply(options, command)


def _change_options(command: Command) -> Command:
    options: list[Callable[[Command], Command]] = [
        click.option("--status", type=click.Choice(STATUSES), help="The new status."),
        click.option("--priority", type=click.Choice(PRIORITIES), help="The new priority."),
        click.option("--assignee", help="Who works on it; an empty text clears it."),
        click.option("--notes", help="Free notes; an empty text clears them."),
        click.option("--action-item", "action_items", multiple=True, help="A thing to do; may be repeated."),
    ]
    return _apply(options, command)


def _apply(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _read_changes(given: dict[str, Any]) -> dict[str, Any]:
    """The changes that were given; an empty text clears."""
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    for name in ("assignee", "notes"):
        if name in changes:
            changes[name] = changes[name] or None
    return changes


@click.group("tickets")
def tickets() -> None:
    """List, change, dismiss, count and export tickets."""


@tickets.command("list", epilog=EPILOG)
@_filter_options
@click.option("--sort", metavar="FIELD", help="created_at, updated_at, priority or status; -FIELD descends.")
@limit_option
@format_option
@verbose_option
def list_tickets(verbose: bool, output: str | None, limit: int | None, **filters: Any) -> None:
    """List tickets.

    \b
    Examples:
      cogny tickets list --status open --priority critical
      cogny tickets list --sort -updated_at --limit 20 --format json
    """
    execute(lambda client: print_rows(client.tickets.list(**filters), COLUMNS, output, limit), verbose=verbose)


@tickets.command("get", epilog=EPILOG)
@click.argument("ticket_id")
@format_option
@verbose_option
def get(ticket_id: str, output: str | None, verbose: bool) -> None:
    """Show a ticket as it is now.

    \b
    Example:
      cogny tickets get tkt_123abc
    """
    execute(lambda client: print_object(client.tickets.get(ticket_id).raw, output), verbose=verbose)


@tickets.command("update", epilog=EPILOG)
@click.argument("ticket_id")
@_change_options
@format_option
@verbose_option
def update(ticket_id: str, output: str | None, verbose: bool, **changes: Any) -> None:
    """Change a ticket.

    What is not named stays.

    \b
    Example:
      cogny tickets update tkt_123abc --status in_progress --assignee ana@example.com
    """
    execute(
        lambda client: print_object(client.tickets.update(ticket_id, **_read_changes(changes)).raw, output),
        verbose=verbose,
    )


@tickets.command("dismiss", epilog=EPILOG)
@click.argument("ticket_id")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why.")
@click.option("--notes", help="A remark.")
@format_option
@verbose_option
def dismiss(ticket_id: str, reason: Any, notes: str | None, output: str | None, verbose: bool) -> None:
    """Dismiss a ticket.

    \b
    Example:
      cogny tickets dismiss tkt_123abc --reason already_implemented
    """
    execute(lambda client: print_object(client.tickets.dismiss(ticket_id, reason, notes).raw, output), verbose=verbose)


@tickets.command("bulk-update", epilog=EPILOG)
@click.argument("ticket_ids", nargs=-1, required=True)
@_change_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@format_option
@verbose_option
def bulk_update(ticket_ids: tuple[str, ...], yes: bool, output: str | None, verbose: bool, **given: Any) -> None:
    """Make the same change in several tickets.

    With one request; - reads their ids from standard input.

    \b
    Examples:
      cogny tickets bulk-update tkt_1 tkt_2 --status in_progress
      cogny tickets list --status open --priority low --format json | jq -r .id |
        cogny tickets bulk-update - --status dismissed --yes
    """

    def act(client: Cogny) -> None:
        ids = sys.stdin.read().split() if ticket_ids == ("-",) else list(ticket_ids)
        changes = _read_changes(given)
        if not ids:
            raise InvalidArgument("ticket_ids", "is empty: standard input named no ticket")
        told = ", ".join(f"{name}={value}" for name, value in changes.items()) or "no change"
        confirm(f"Change {count(len(set(ids)), 'ticket')}: {told}?", yes=yes)
        print_object(client.tickets.bulk_update(ids, **changes).raw, output)

    execute(act, verbose=verbose)


@tickets.command("stats", epilog=EPILOG)
@format_option
@verbose_option
def stats(output: str | None, verbose: bool) -> None:
    """Show aggregates of all tickets, as the API gives them.

    \b
    Example:
      cogny tickets stats
    """
    execute(lambda client: print_object(client.tickets.stats().raw, output), verbose=verbose)


@tickets.command("export", epilog=EPILOG)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="csv", show_default=True, help="The file's.")
@_filter_options
@click.option("--field", "fields", multiple=True, help="A field to write; may be repeated. Default: all.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; - for standard output. Without it the file's URL is printed.",
)
@verbose_option
def export(kind: Any, out: Path | None, verbose: bool, fields: tuple[str, ...], **filters: Any) -> None:
    """Write tickets into a file.

    For a spreadsheet, or for Jira, Asana or Linear.

    \b
    Examples:
      cogny tickets export --format jira --status open --out tickets.csv
      cogny tickets export --format csv --out - | head -3
      cogny tickets export --format json
    """

    def act(client: Cogny) -> None:
        if out is not None and out != STDOUT:
            check_place(out)
        done = client.tickets.export(kind, include_fields=fields or None, **filters)
        if out is None:
            with writing_out():
                click.echo(safe_text(done.download_url or "-"))
            return
        content = client.tickets.download(done)
        if out == STDOUT:
            with writing_out():
                click.echo(content, nl=False)
            return
        write_whole(out, content)
        say(f"{out} is written: {count(done.ticket_count or 0, 'ticket')}.")

    execute(act, verbose=verbose)
