"""`cogny webhooks` and `cogny warehouses`: subscriptions, and the connected warehouses."""

from __future__ import annotations

from typing import Any

import click

from cogny_source.cli.client_options import EPILOG, execute, format_option, limit_option, verbose_option
from cogny_source.cli.tables import Column, print_object, print_rows

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
    envvar="COGNY_WEBHOOK_SECRET",
    prompt=True,
    hide_input=True,
    help="With which deliveries are signed; better in the environment, where no other user sees it.",
)
@format_option
@verbose_option
def create(url: str, events: Any, secret: str, output: str | None, verbose: bool) -> None:
    """Subscribe a URL to events.

    The API can neither list nor delete subscriptions.

    \b
    Example:
      COGNY_WEBHOOK_SECRET=... cogny webhooks create --url https://example.com/cogny --event report.completed
    """
    execute(lambda client: print_object(client.webhooks.create(url, events, secret).raw, output), verbose=verbose)


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
