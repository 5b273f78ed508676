"""Single rows by `GET`: they confirm that a row is gone, or that its older version is right."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

from cogny_source.errors import BadRequest, ContractError, Forbidden, NotFound, RateLimited, TransientError
from cogny_source.extract.context import ReadContext
from cogny_source.records.columns import Row
from cogny_source.timestamps import parse_instant, to_micros
from cogny_source.windows import UPDATED

logger = logging.getLogger(__name__)

# Each row costs a request; for more rows a second listing is read, or a sample decides.
MOST_LOOKUPS = 50
SAMPLE_ROWS = 20
# Other characters in a key could change the path.
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class LookupUnusable(Exception):
    """The API returns no single rows of this resource."""


def fetch_row(context: ReadContext, key: str) -> Row | None:
    """Request one row.

    Returns:
        The row; None if the API says that it does not exist.

    Raises:
        LookupUnusable: If the answer is another row or an error.
    """
    endpoint = context.endpoint
    if endpoint.whole or not PLAIN_KEY.fullmatch(key):
        raise LookupUnusable
    try:
        row = context.client.get(f"{endpoint.path}/{key}", {}, context.meter, scope=endpoint.scope).data
    except NotFound:
        return None
    except RateLimited:
        raise
    except (BadRequest, Forbidden, ContractError, TransientError) as error:
        raise LookupUnusable from error
    if not isinstance(row, dict) or str(row.get("id")) != key:
        raise LookupUnusable
    return row


def find_deleted(context: ReadContext, keys: Sequence[str], listed: str | None) -> list[str] | None:
    """The rows that do not exist according to the API.

    Args:
        context: Client, endpoint and counters.
        keys: Rows that a listing lacked.
        listed: A row that it had: if the API does not return this one either, its answers prove nothing.

    Returns:
        Their keys; None if the API returns no single rows, or there are too many.
    """
    if listed is None or len(keys) > MOST_LOOKUPS:
        return None
    try:
        if fetch_row(context, listed) is None:
            return None
        return [key for key in keys if fetch_row(context, key) is None]
    except LookupUnusable:
        return None


def find_confirmed(context: ReadContext, versions: Mapping[str, int]) -> set[str] | None:
    """The rows whose older version is right according to the API.

    A listing may come from a lagging replica; a restored backup really is older.

    Args:
        context: Client, endpoint and counters.
        versions: Key to the older `updated_at`, in microseconds since 1970.

    Returns:
        Their keys; of many rows a sample is requested, which decides for all if it agrees. None if the API returns
        no single rows.
    """
    keys = list(versions)
    sample = keys if len(keys) <= MOST_LOOKUPS else keys[:: max(1, len(keys) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    try:
        confirmed = {key for key in sample if _has_version(fetch_row(context, key), versions[key])}
    except LookupUnusable:
        return None
    everything = len(confirmed) == len(sample)
    logger.info("%s: %d of %d older versions were confirmed", context.endpoint.path, len(confirmed), len(sample))
    return set(keys) if everything else confirmed


def _has_version(row: Row | None, version: int) -> bool:
    if row is None:  # a listed row that does not exist: a second listing decides
        raise LookupUnusable
    instant = parse_instant(row.get(UPDATED))
    return instant is not None and to_micros(instant) == version
