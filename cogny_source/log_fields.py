"""Fields of log lines beside their message: those of a line, and those of every line of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_common: dict[str, Any] = {}


def fields(**values: Any) -> dict[str, Any]:
    """The argument `extra` of a logger's method that gives a line fields, such as `resource` or `rows`."""
    return {"fields": values}


@contextmanager
def common_fields(**values: Any) -> Iterator[None]:
    """Give every line within the block fields, in each thread of the process; of two blocks at once the later wins."""
    before = dict(_common)
    _common.update(values)
    try:
        yield
    finally:
        _common.clear()
        _common.update(before)


def read_common_fields() -> Mapping[str, Any]:
    """The fields that each line has now."""
    return dict(_common)
