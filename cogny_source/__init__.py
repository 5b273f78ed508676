"""Growth tickets, reports and warehouses of the Cogny API as a dlt source.

The names below are imported on first use: importing dlt takes a second or more, and commands such as
`cogny --help` do not need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogny_source.client.cogny import Cogny
    from cogny_source.destinations.filesystem.dlt_client import open_folder
    from cogny_source.engine.cancellation import CancelToken
    from cogny_source.engine.progress import Progress
    from cogny_source.engine.run_record import ResourceRun, SyncResult
    from cogny_source.engine.runner import sync
    from cogny_source.errors import CognyError
    from cogny_source.settings import Settings
    from cogny_source.source import cogny_source

    __version__: str

__all__ = [
    "CancelToken",
    "Cogny",
    "CognyError",
    "Progress",
    "ResourceRun",
    "Settings",
    "SyncResult",
    "__version__",
    "cogny_source",
    "open_folder",
    "sync",
]

_MODULES = {
    "Cogny": "cogny_source.client.cogny",
    "CognyError": "cogny_source.errors",
    "Progress": "cogny_source.engine.progress",
    "ResourceRun": "cogny_source.engine.run_record",
    "Settings": "cogny_source.settings",
    "CancelToken": "cogny_source.engine.cancellation",
    "SyncResult": "cogny_source.engine.run_record",
    "cogny_source": "cogny_source.source",
    "open_folder": "cogny_source.destinations.filesystem.dlt_client",
    "sync": "cogny_source.engine.runner",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # a third of the time of the package's import

        return version("cogny-source")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
