"""The dlt source for a plain `pipeline.run()`, which commits all rows of a run at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.common.configuration.specs import BaseConfiguration
from dlt.extract import DltResource

from cogny_source.api.http_client import make_client
from cogny_source.api.meter import Meter
from cogny_source.destinations.dlt_source import Supply, make_resource
from cogny_source.destinations.registry import find_adapter
from cogny_source.dlt_settings import resolve_settings
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.plan import make_plan
from cogny_source.extract.resource import read_resource
from cogny_source.extract.state import claim_state
from cogny_source.records.chunk import Chunk, merge_chunks


@configspec
class NothingInjected(BaseConfiguration):
    """Keeps dlt from filling the source's arguments: a stray `BASE_URL` in the environment would take the key."""


@dlt.source(name="cogny", section="cogny", spec=NothingInjected)
def cogny_source(
    api_key: str | None = None,
    base_url: str | None = None,
    auth_header: str | None = None,
    start_date: str | datetime | None = None,
) -> Sequence[DltResource]:
    """Tickets, reports and warehouses of the Cogny API.

    Arguments that are not given come from dlt's configuration, such as `SOURCES__COGNY__API_KEY`.
    One `pipeline.run()` holds all rows as Arrow and commits them and the state together at its end;
    `cogny_source.sync()` commits chunk by chunk instead, in bounded memory, and resumes after an interruption.

    Args:
        api_key: The key, `sk_live_…` or `sk_test_…`.
        base_url: The API's base URL.
        auth_header: `bearer` or `x-api-key`.
        start_date: Rows created before it are left out. The dataset keeps it for later runs; `all` for all rows.

    Returns:
        The resources `tickets`, `reports` and `warehouses`, which yield Arrow tables.

    Raises:
        ConfigError: If the key is missing or a setting is wrong.
    """
    settings = resolve_settings(api_key=api_key, base_url=base_url, auth_header=auth_header, start_date=start_date)
    client = make_client(settings)
    plan = make_plan(settings, start_date=settings.start_date)

    def supply(name: str) -> Supply:
        reading = ReadContext(
            client, ENDPOINTS[name], Meter(), lambda: None, settings.chunk_rows, history=settings.history
        )

        def read_at_once(state: dict[str, Any]) -> Iterator[Chunk]:
            # dlt merges all rows of a run in one load and would insert two versions of a row twice.
            chunks = read_resource(reading, claim_state(state, settings.origin), plan)
            yield merge_chunks(reading.endpoint.table, chunks)

        return read_at_once

    return [
        make_resource(ENDPOINTS[name].table, supply(name), find_adapter, history=settings.history) for name in ENDPOINTS
    ]
