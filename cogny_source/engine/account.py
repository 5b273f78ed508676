"""Checks that the API's rows belong to the dataset's account: a dataset takes no rows of another account."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

import pyarrow.compute as pc

from cogny_source.api.calls import Params
from cogny_source.api.pagination import PAGE_ROWS, iter_pages, read_page
from cogny_source.destinations.reader import DestinationReader
from cogny_source.errors import BadRequest, ConfigError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.lookup import LookupUnusable, fetch_row
from cogny_source.extract.state import State, claims_rows
from cogny_source.timestamps import parse_instant
from cogny_source.windows import CREATED, UPDATED, Window

logger = logging.getLogger(__name__)

# Before a run is refused: how many rows of the destination are requested by their keys, and how many pages of each list
# are read. An API that gives no single rows may list any number of rows first that the destination need not hold.
LAST_LOOKUPS = 3
LAST_PAGES = 50
EPOCH = datetime.fromtimestamp(0, UTC)


def check_account(contexts: Sequence[ReadContext], states: Mapping[str, State], destination: DestinationReader) -> None:
    """Refuse rows of another account, before any is loaded.

    One row that the API lists and the destination holds proves the account. The check tries the listed warehouses,
    then the row that came with a count, then the oldest rows. It sends no request if the list of warehouses is that of
    the last run. Listed rows may be absent from the destination, for example before a start date: the last steps
    request rows of the destination by their keys, and read more of the lists.

    Args:
        contexts: The contexts of the run's resources, after their first pages.
        states: The states in the destination at the beginning of the run, by resource.
        destination: The destination.

    Raises:
        ConfigError: If the API lists rows, the destination holds rows, and the check finds none in common.
    """
    loaded = [context for context in contexts if claims_rows(states.get(context.endpoint.name, {}))]
    if not loaded or any(_lists_the_same(context, states) for context in loaded):
        return
    listed = False
    for context in sorted(loaded, key=lambda context: not context.endpoint.whole):
        keys = _find_listed(context)
        if _holds_any(context, destination, keys):
            return
        if not context.endpoint.whole:
            keys = _fetch_oldest(context, states[context.endpoint.name])
            if _holds_any(context, destination, keys):
                return
        listed = listed or bool(keys and destination.count_live(context.endpoint.table, None, None).rows)
    if not listed or any(_gives_any(context, destination) for context in loaded):
        return
    if not any(_lists_any(context, destination) for context in loaded):
        raise ConfigError(
            "the API lists none of the rows that this dataset holds: the key seems to belong to another account; use"
            " the key of the dataset's account, or another dataset or database for this account"
        )


def _lists_the_same(context: ReadContext, states: Mapping[str, State]) -> bool:
    """Whether a full table has the content that the destination loaded last."""
    digest = context.counts.list_digest
    return bool(context.counts.digests) and digest == states[context.endpoint.name].get("list_digest")


def _find_listed(context: ReadContext) -> list[str]:
    """The keys in the answers to the run's own requests."""
    counts = context.counts
    return [*list(counts.digests)[:PAGE_ROWS], *([counts.sample[0]] if counts.sample else [])]


def _fetch_oldest(context: ReadContext, state: State) -> list[str]:
    """The keys of the oldest rows from the start date on, if the API honours the sort; empty if it refuses it."""
    endpoint = context.endpoint
    window = Window(parse_instant(state.get("start_date"))).params(CREATED)
    params: Params = {**window, "sort": CREATED, "limit": PAGE_ROWS}
    try:
        answer = context.client.get(endpoint.path, params, context.meter, scope=endpoint.scope)
    except BadRequest:
        return []
    return [str(row["id"]) for row in read_page(answer, endpoint.path).rows if row.get("id") is not None]


def _holds_any(context: ReadContext, destination: DestinationReader, keys: Sequence[str]) -> bool:
    return any(len(table) for table in destination.read_keys(context.endpoint.table, keys))


def _lists_any(context: ReadContext, destination: DestinationReader) -> bool:
    """Whether the first `LAST_PAGES` pages of the API's list have a row that the destination holds."""
    endpoint = context.endpoint
    pages = iter_pages(context.client, endpoint.path, {}, context.meter, scope=endpoint.scope)
    try:
        keys = (
            [str(row["id"]) for row in page.rows if row.get("id") is not None] for page in islice(pages, LAST_PAGES)
        )
        return any(_holds_any(context, destination, some) for some in keys)
    except BadRequest:
        return False


def _gives_any(context: ReadContext, destination: DestinationReader) -> bool:
    """Whether the API returns one of the `LAST_LOOKUPS` rows of the destination that changed last."""
    stamps = None if context.endpoint.whole else destination.read_stamps(context.endpoint.table, EPOCH)
    if stamps is None:
        return False
    newest = stamps.take(pc.select_k_unstable(stamps, LAST_LOOKUPS, [(UPDATED, "descending")]))
    try:
        return any(fetch_row(context, key) is not None for key in newest[context.endpoint.table.key].to_pylist())
    except LookupUnusable:
        return False
