"""Whose rows they are: a dataset takes no rows of another account of the same API."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow.compute as pc

from cogny_source.api.http_client import Params
from cogny_source.api.pagination import PAGE_ROWS, read_page
from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import BadRequest, ConfigError
from cogny_source.extract.context import ReadContext
from cogny_source.extract.lookup import LookupUnusable, fetch_row
from cogny_source.extract.state import State, claims_rows
from cogny_source.timestamps import parse_instant
from cogny_source.windows import CREATED, UPDATED, Window

logger = logging.getLogger(__name__)

# So many rows of the destination are asked for by their keys before a run is refused.
LAST_LOOKUPS = 3
EPOCH = datetime.fromtimestamp(0, UTC)


def check_account(
    readings: Sequence[ReadContext], states: Mapping[str, State], destination: DestinationSession
) -> None:
    """Refuse rows of another account, before any is loaded.

    An account is recognised by any row that the API lists and the destination holds: a warehouse, else the row that
    came with a count, else one of the oldest. Nothing is asked where the list of warehouses is the one of the last run.
    What the API lists first need not be loaded, as after a start date; so it is asked for rows that are, at last.

    Args:
        readings: Of each resource of the run, after its first pages came.
        states: The states that the destination held when the run began, by resource.
        destination: What is loaded into.

    Raises:
        ConfigError: If the API lists rows, and none of those looked for is in the destination, which holds others.
    """
    held = [reading for reading in readings if claims_rows(states.get(reading.endpoint.name, {}))]
    if not held or any(_lists_the_same(reading, states) for reading in held):
        return
    listed = False
    for reading in sorted(held, key=lambda reading: not reading.endpoint.whole):
        keys = _find_listed(reading)
        if _holds_any(reading, destination, keys):
            return
        if not reading.endpoint.whole:
            keys = _fetch_oldest(reading, states[reading.endpoint.name])
            if _holds_any(reading, destination, keys):
                return
        listed = listed or bool(keys and destination.count_live(reading.endpoint.table, None, None).rows)
    if listed and not any(_gives_any(reading, destination) for reading in held):
        raise ConfigError(
            "the API lists other rows than this dataset holds, and none of its own: the key seems to belong to another"
            " account; use that account's key, or another dataset or database for this one"
        )


def _lists_the_same(reading: ReadContext, states: Mapping[str, State]) -> bool:
    """Whether a list that is read whole has the content that the destination has loaded last."""
    digest = reading.tally.list_digest
    return bool(reading.tally.digests) and digest == states[reading.endpoint.name].get("list_digest")


def _find_listed(reading: ReadContext) -> list[str]:
    """The keys that came with the run's own requests."""
    tally = reading.tally
    return [*list(tally.digests)[:PAGE_ROWS], *([tally.sample[0]] if tally.sample else [])]


def _fetch_oldest(reading: ReadContext, state: State) -> list[str]:
    """The keys of the rows that were created first of those wanted, as far as the API heeds the sort."""
    endpoint = reading.endpoint
    wanted = Window(parse_instant(state.get("start_date"))).params(CREATED)
    params: Params = {**wanted, "sort": CREATED, "limit": PAGE_ROWS}
    try:
        answer = reading.client.get(endpoint.path, params, reading.meter, scope=endpoint.scope)
    except BadRequest:
        return []
    return [str(row["id"]) for row in read_page(answer, endpoint.path).rows if row.get("id") is not None]


def _holds_any(reading: ReadContext, destination: DestinationSession, keys: Sequence[str]) -> bool:
    return any(len(table) for table in destination.read_keys(reading.endpoint.table, keys))


def _gives_any(reading: ReadContext, destination: DestinationSession) -> bool:
    """Whether the API gives one of the rows that the destination holds, of those that changed last."""
    stamps = None if reading.endpoint.whole else destination.read_stamps(reading.endpoint.table, EPOCH)
    if stamps is None:
        return False
    newest = stamps.take(pc.select_k_unstable(stamps, LAST_LOOKUPS, [(UPDATED, "descending")]))
    try:
        return any(fetch_row(reading, key) is not None for key in newest[reading.endpoint.table.key].to_pylist())
    except LookupUnusable:
        return False
