"""A dry check before the first sync: whether the API answers, and the destination does all that a sync asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import dlt

from cogny_source.api.client import Meter
from cogny_source.api.pages import read_page
from cogny_source.engine.destination import Destination
from cogny_source.engine.endpoints import ENDPOINTS
from cogny_source.settings import Settings
from cogny_source.source import make_client, select_resources


def check(
    pipeline: dlt.Pipeline,
    settings: Settings,
    resources: Sequence[str],
    probe: Callable[[], Iterator[str]] | None = None,
) -> Iterator[str]:
    """Try what a sync needs.

    Args:
        pipeline: The pipeline, with its destination.
        settings: The settings.
        resources: The resources to sync; all where empty.
        probe: Tries what the destination must do; where there is none, it is opened.

    Yields:
        A line for each thing that works.

    Raises:
        CognyError: If one does not.
    """
    client = make_client(settings)
    for name in select_resources(resources):
        endpoint = ENDPOINTS[name]
        answer = client.get(endpoint.path, {"limit": 1}, Meter(), scope=endpoint.scope)
        count = read_page(answer, endpoint.path).list_rows
        yield f"API, {name}: can be read{'' if count is None else f', {count:,} rows'}"
    if probe is not None:
        yield from probe()
        return
    with Destination(pipeline, settings.destination_wait_seconds).hold():
        yield f"{pipeline.destination.destination_name}, {pipeline.dataset_name}: can be opened"
