"""Single rows, asked for by their key: what confirms that a row is gone, or that an older version of it holds."""

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

# A row costs a request; beyond so many, a second listing is asked instead, or a sample speaks for all.
MOST_LOOKUPS = 50
SAMPLE_ROWS = 20
# A key that is no plain name could lead to another path.
PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class LookupUnusable(Exception):
    """The API gives no single rows of this resource."""


def fetch_row(reading: ReadContext, key: str) -> Row | None:
    """Ask the API for one row.

    Returns:
        The row; None where the API says that there is none.

    Raises:
        LookupUnusable: If it does not answer with the row that was asked for.
    """
    endpoint = reading.endpoint
    if endpoint.whole or not PLAIN_KEY.fullmatch(key):
        raise LookupUnusable
    try:
        row = reading.client.get(f"{endpoint.path}/{key}", {}, reading.meter, scope=endpoint.scope).data
    except NotFound:
        return None
    except RateLimited:
        raise
    except (BadRequest, Forbidden, ContractError, TransientError) as error:
        raise LookupUnusable from error
    if not isinstance(row, dict) or str(row.get("id")) != key:
        raise LookupUnusable
    return row


def find_deleted(reading: ReadContext, keys: Sequence[str], listed: str | None) -> list[str] | None:
    """Which rows the API says are not there.

    Args:
        reading: Client, endpoint and counters.
        keys: Rows that a listing did not bring.
        listed: A row that it did bring: where the API does not give that one either, its answers say nothing.

    Returns:
        Their keys; None where single rows cannot be asked for, or there are too many.
    """
    if listed is None or len(keys) > MOST_LOOKUPS:
        return None
    try:
        if fetch_row(reading, listed) is None:
            return None
        return [key for key in keys if fetch_row(reading, key) is None]
    except LookupUnusable:
        return None


def find_confirmed(reading: ReadContext, versions: Mapping[str, int]) -> set[str] | None:
    """Which rows the API itself gives in a version that is older than the one that the destination holds.

    A listing may come from a copy that lags behind; a backup that was put back is a step back indeed.

    Args:
        reading: Client, endpoint and counters.
        versions: Key to the older `updated_at`, in microseconds since 1970.

    Returns:
        Their keys; of many rows a sample is asked for, which speaks for all where it agrees. None where single rows
        cannot be asked for.
    """
    keys = list(versions)
    sample = keys if len(keys) <= MOST_LOOKUPS else keys[:: max(1, len(keys) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    try:
        confirmed = {key for key in sample if _has_version(fetch_row(reading, key), versions[key])}
    except LookupUnusable:
        return None
    everything = len(confirmed) == len(sample)
    logger.info("%s: %d of %d older versions were confirmed", reading.endpoint.path, len(confirmed), len(sample))
    return set(keys) if everything else confirmed


def _has_version(row: Row | None, version: int) -> bool:
    if row is None:  # a listed row that is said not to be there: a second listing decides
        raise LookupUnusable
    instant = parse_instant(row.get(UPDATED))
    return instant is not None and to_micros(instant) == version
