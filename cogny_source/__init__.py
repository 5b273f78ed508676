"""Growth tickets, reports and warehouses of the Cogny API as a dlt source.

The names below are loaded when they are first used: importing dlt takes a second or more, and
`python -m cogny_source.sandbox` has no need of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogny_source.engine.runner import sync
    from cogny_source.errors import CognyError
    from cogny_source.settings import Settings
    from cogny_source.source import cogny_source

__all__ = ["CognyError", "Settings", "cogny_source", "sync"]

_MODULES = {
    "CognyError": "cogny_source.errors",
    "Settings": "cogny_source.settings",
    "cogny_source": "cogny_source.source",
    "sync": "cogny_source.engine.runner",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
