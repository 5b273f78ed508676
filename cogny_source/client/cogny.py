"""The client: one object for all of the API, safe to be used from several threads."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Literal, Self

from requests.adapters import BaseAdapter

from cogny_source.api.http_client import Timing, make_client
from cogny_source.client.context import Context
from cogny_source.client.reports import Reports
from cogny_source.client.settings import resolve_settings
from cogny_source.client.tickets import Tickets
from cogny_source.client.warehouses import Warehouses
from cogny_source.client.webhooks import Webhooks

logger = logging.getLogger(__name__)

LITE_PREFIX = "cogny_lite_"


class Cogny:
    """A client of the Cogny API. Thread-safe; a context manager that closes its connections.

    What is not given is looked up in the environment, as `COGNY_API_KEY` or `SOURCES__COGNY__API_KEY`, then in
    `.dlt/secrets.toml` and `.dlt/config.toml` under `sources.cogny`, as the sync does.

    Args:
        api_key: The key.
        base_url: The API's URL; https, or http on this machine.
        auth_header: The header that carries the key: `bearer`, or `x-api-key` for the legacy one.
        requests_per_minute: The pace until a header says otherwise. By default 100; none for development keys.
        connect_timeout_seconds: Time-out of connecting.
        read_timeout_seconds: Time-out of each read of an answer.
        max_wait_seconds: The longest wait for the rate limit.
        max_outage_seconds: The longest outage of the API that a call waits for.
        timing: Clock, sleep and chance, for tests.
        adapter: Sends the requests in place of connections, for tests.

    Attributes:
        reports: Reports.
        tickets: Tickets.
        warehouses: Warehouses.
        webhooks: Webhooks.

    Raises:
        ConfigError: If the key is missing, or a setting is wrong.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        auth_header: Literal["bearer", "x-api-key"] | None = None,
        requests_per_minute: float | None = None,
        connect_timeout_seconds: float | None = None,
        read_timeout_seconds: float | None = None,
        max_wait_seconds: float | None = None,
        max_outage_seconds: float | None = None,
        timing: Timing | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        settings = resolve_settings(
            api_key=api_key,
            base_url=base_url,
            auth_header=auth_header,
            requests_per_minute=requests_per_minute,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
            max_wait_seconds=max_wait_seconds,
            max_outage_seconds=max_outage_seconds,
        )
        if settings.api_key.startswith(LITE_PREFIX):
            logger.warning("this key has 15 calls a month: each page of a list and each look of a wait is one")
        timing = timing or Timing()
        self._http = make_client(settings, timing, adapter=adapter)
        context = Context(self._http, settings, timing, adapter)
        self.reports = Reports(context)
        self.tickets = Tickets(context)
        self.warehouses = Warehouses(context)
        self.webhooks = Webhooks(context)
        self._origin = settings.origin

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def __repr__(self) -> str:
        """The API's origin, without the key."""
        return f"Cogny({self._origin})"
