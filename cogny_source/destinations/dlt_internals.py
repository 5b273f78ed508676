"""What dlt's destinations can do, found out once a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import dlt
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.normalizers.naming import NamingConvention


@contextmanager
def find_capabilities_once(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Let the pipeline's destinations remember their capabilities until the block ends.

    dlt 1.31 asks for them some twenty times a run and looks through every configuration provider each time: a quarter
    of the time that a run without news takes.
    """
    destinations = [it for it in (pipeline.destination, pipeline.staging) if it is not None]
    for destination in destinations:
        vars(destination)["capabilities"] = _remember(destination)
    try:
        yield
    finally:
        for destination in destinations:
            vars(destination).pop("capabilities", None)


def _remember(destination: Destination[Any, Any]) -> Any:
    find = destination.capabilities
    found: dict[Any, DestinationCapabilitiesContext] = {}

    def capabilities(config: Any = None, naming: NamingConvention | None = None) -> DestinationCapabilitiesContext:
        if config is not None:
            return find(config, naming)
        key = None if naming is None else (type(naming), naming.max_length)
        if key not in found:
            found[key] = find(None, naming)
        # dlt writes into what it gets.
        return deepcopy(found[key])

    return capabilities
