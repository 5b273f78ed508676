"""The check before a first sync: tries API and destination without syncing."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cogny_source.api.calls import check_id
from cogny_source.api.http_client import HttpClient, make_client
from cogny_source.api.meter import Meter
from cogny_source.api.pagination import PAGE_ROWS, read_page
from cogny_source.destinations.target import Target
from cogny_source.errors import AuthError, BadRequest, CognyError, NetworkError, NotFound, Untrusted
from cogny_source.extract.content_state import COMPLETED, NEVER
from cogny_source.extract.endpoints import ENDPOINTS, select_resources
from cogny_source.formatting import MINUTE, span
from cogny_source.records.columns import Row
from cogny_source.schema import REPORTS
from cogny_source.settings import DEVELOPMENT_PREFIX, Settings

# The longest waits, as a person waits for the answer: for the rate limit, and for an API that is away.
PATIENCE_SECONDS = 20.0
OUTAGE_SECONDS = 5.0
KEYS = {
    DEVELOPMENT_PREFIX: "a development key",
    "sk_live_": "a live key",
    "cogny_lite_": "an agent's key, which has 15 calls a month",
}
CLOCK_TOLERANCE_SECONDS = 5.0
# Enough warehouses to recognise an account.
NAMED_WAREHOUSES = 3


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        ok: Whether it passed.
        text: The result in words, without the key.
    """

    ok: bool
    text: str


def check_all(
    settings: Settings, resources: Sequence[str], target: Target, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Run all checks, also after a failed one.

    Args:
        settings: The settings.
        resources: The resources to sync; all if empty.
        target: The destination.
        clock: Epoch seconds of this machine.

    Yields:
        A finding for each check.

    Raises:
        ConfigError: If a resource is unknown.
    """
    names = select_resources(resources)
    kind = next((kind for prefix, kind in KEYS.items() if settings.api_key.startswith(prefix)), "a key of unknown kind")
    source = f" from {settings.key_source}" if settings.key_source else ""
    yield Finding(True, f"settings: {settings.base_url} with {kind}{source}, sent as {settings.auth_header}")
    client = make_client(_with_less_patience(settings))
    try:
        rows = yield from _check_api(client, names, clock)
        if client.reached:
            yield Finding(True, _describe_pace(client))
        if REPORTS.name in names and settings.contents != NEVER:
            yield from _check_contents(client)
    finally:
        client.close()
    works = yield from _check_destination(target)
    if works and rows and not target.is_there():
        yield Finding(True, _describe_first_load(client, rows))


def _with_less_patience(settings: Settings) -> Settings:
    return replace(
        settings,
        max_outage_seconds=min(settings.max_outage_seconds, OUTAGE_SECONDS),
        max_wait_seconds=min(settings.max_wait_seconds, PATIENCE_SECONDS),
        connect_timeout_seconds=min(settings.connect_timeout_seconds, OUTAGE_SECONDS),
    )


def _check_api(
    client: HttpClient, names: Sequence[str], clock: Callable[[], float]
) -> Generator[Finding, None, list[int]]:
    """Ask each list for a row; returns how many rows those have that count them."""
    server_time: datetime | None = None
    rows: list[int] = []
    for name in names:
        endpoint = ENDPOINTS[name]
        try:
            answer = client.get(endpoint.path, {"limit": 1}, Meter(), scope=endpoint.scope)
            page = read_page(answer, endpoint.path)
        except CognyError as error:
            yield Finding(False, f"API, {name}: {error}")
            if isinstance(error, AuthError | NetworkError | Untrusted):
                return rows  # the other resources would fail alike
            continue
        count = page.list_rows
        rows += [] if count is None else [count]
        yield Finding(True, f"API, {name}: can be read{'' if count is None else f', {count:,} rows'}")
        if endpoint.whole and page.rows:
            yield Finding(True, _describe_account(page.rows))
        if server_time is None and page.server_time is not None:
            server_time = page.server_time
            yield Finding(True, _describe_clock(server_time.timestamp() - clock()))
    return rows


def _check_contents(client: HttpClient) -> Iterator[Finding]:
    """Try the content of a completed report, unless the list of reports has failed, which is told already."""
    endpoint, what = ENDPOINTS[REPORTS.name], "API, contents of reports"
    try:
        answer = client.get(endpoint.path, {"status": COMPLETED, "limit": 1}, Meter(), scope=endpoint.scope)
        rows = read_page(answer, endpoint.path).rows
    except CognyError:
        return
    completed = [row for row in rows if row.get("status") == COMPLETED]
    if not completed:
        yield Finding(True, f"{what}: no report is completed yet")
        return
    try:
        path = f"{endpoint.path}/{check_id(completed[0].get('id'), 'the id of a report')}/content"
        client.get(path, {}, Meter(), scope=endpoint.scope)
        yield Finding(True, f"{what}: can be read")
    except (NotFound, BadRequest) as error:
        yield Finding(True, f"{what}: a completed report has none ({error})")
    except CognyError as error:
        yield Finding(False, f"{what}: {error}; --contents never syncs without them")


def _describe_account(warehouses: Sequence[Row]) -> str:
    """The key's account by its warehouses, as the API names no account."""
    named = [f"{row.get('name')} ({row.get('id')})" for row in warehouses[:NAMED_WAREHOUSES]]
    more = len(warehouses) - len(named)
    return f"account: the one with {', '.join(named)}{f' and {more} more warehouses' if more else ''}"


def _describe_clock(ahead_seconds: float) -> str:
    """The difference of the clocks; never a failure, as watermarks are times of the API."""
    if abs(ahead_seconds) <= CLOCK_TOLERANCE_SECONDS:
        return "clock: agrees with the API's"
    which = "behind" if ahead_seconds > 0 else "ahead of"
    return f"clock: this machine is {abs(ahead_seconds):,.0f} s {which} the API; a sync goes by the API's"


def _describe_pace(client: HttpClient) -> str:
    limiter = client.limiter
    pace = limiter.requests_per_minute
    if limiter.remaining is not None:
        return f"rate limit: headers tell {limiter.remaining} requests left of {pace:.0f}"
    if pace is None:
        return "rate limit: none, by the key; no header tells of one"
    return f"rate limit: no header tells; at most {pace:.0f} requests a minute are sent"


def _describe_first_load(client: HttpClient, rows: Sequence[int]) -> str:
    """What a first load asks of the API: full pages, and a count and the end of each list."""
    requests = sum(-(-known // PAGE_ROWS) + 2 for known in rows)
    pace = client.limiter.usable_requests_per_minute
    takes = "" if pace is None else f", {span(requests / pace * MINUTE, blank=' ')} at {pace:,.0f} a minute"
    return f"first load: about {sum(rows):,} rows in {requests:,} requests{takes}"


def _check_destination(target: Target) -> Generator[Finding, None, bool]:
    """Try the destination; returns whether it works."""
    try:
        for line in target.probe():
            yield Finding(True, line)
        return True
    except CognyError as error:
        told = target.explain(error) if target.explain else None
        yield Finding(False, f"destination: {told or error}")
        return False
