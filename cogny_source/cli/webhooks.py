"""`cogny webhooks` and `cogny warehouses`: subscriptions, and the connected warehouses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.client_options import EPILOG, execute, format_option, limit_option, verbose_option
from cogny_source.cli.tables import Column, print_object, print_rows
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.client.cogny import Cogny

SECRET = "COGNY_WEBHOOK_SECRET"
WAREHOUSE_COLUMNS: list[Column] = [
    ("id", lambda warehouse: warehouse.id),
    ("name", lambda warehouse: warehouse.name),
    ("type", lambda warehouse: warehouse.type),
    ("status", lambda warehouse: warehouse.status),
]
EVENTS = (
    "report.completed",
    "report.failed",
    "ticket.created",
    "ticket.updated",
    "warehouse.connected",
    "warehouse.sync_completed",
)


@click.group("webhooks")
def webhooks() -> None:
    """Subscribe URLs to events."""


@webhooks.command("create", epilog=EPILOG)
@click.option("--url", required=True, help="Where deliveries go, https.")
@click.option("--event", "events", type=click.Choice(EVENTS), multiple=True, required=True, help="May be repeated.")
@click.option(
    "--secret",
    envvar=SECRET,
    help="With which deliveries are signed; better in the environment, where no other user sees it.",
)
@format_option
@verbose_option
def create(url: str, events: Any, secret: str | None, output: str | None, verbose: bool) -> None:
    """Subscribe a URL to events.

    The API can neither list nor delete subscriptions. Without a secret, one is asked for.

    \b
    Example:
      COGNY_WEBHOOK_SECRET=... cogny webhooks create --url https://example.com/cogny --event report.completed
    """

    def act(client: Cogny) -> None:
        print_object(client.webhooks.create(url, events, secret or _ask_for_secret()).raw, output)

    execute(act, verbose=verbose)


def _ask_for_secret() -> str:
    if not sys.stdin.isatty():
        raise ConfigError(f"a secret is missing: set {SECRET} where nobody can answer")
    return str(click.prompt("Secret", hide_input=True))


@click.group("warehouses")
def warehouses() -> None:
    """List the connected warehouses."""


@warehouses.command("list", epilog=EPILOG)
@limit_option
@format_option
@verbose_option
def list_warehouses(output: str | None, limit: int | None, verbose: bool) -> None:
    """List the connected warehouses.

    \b
    Example:
      cogny warehouses list
    """
    execute(lambda client: print_rows(client.warehouses.list(), WAREHOUSE_COLUMNS, output, limit), verbose=verbose)
