"""Where the settings and the command line lean on dlt below its public surface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.common.configuration.providers import EnvironProvider
from dlt.common.configuration.utils import get_resolved_traces
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.run_context import RunContext, global_dir
from dlt.common.typing import extract_inner_type


def list_settings_folders() -> Iterator[Path]:
    """Where dlt looks for its settings files: the project's own folder, and the machine's."""
    yield Path(RunContext(None).settings_dir)
    try:
        yield Path(global_dir())
    except OSError:  # there is no place for it: no home, and no temporary folder
        return


def find_pipelines_dir() -> Path:
    """The folder in which dlt keeps the working directories of its pipelines."""
    return Path(get_dlt_pipelines_dir())


@contextmanager
def without_traces() -> Iterator[None]:
    """Keep dlt from writing what it finds, the key too, into the trace in its working directory."""
    traces = get_resolved_traces()
    traces.logging_enabled = False
    try:
        yield
    finally:
        traces.logging_enabled = True


def find_kind(hint: Any) -> Any:
    """The type of a setting, without what says that it may be left out or where it is looked for."""
    return extract_inner_type(hint)


def find_origin(field: str, kind: Any) -> str | None:
    """Where dlt finds a setting: the variable's name, the file's path or the provider's name; None if nowhere.

    Args:
        field: The setting with its sections, such as `sources.cogny.api_key`.
        kind: Its type.
    """
    with without_traces():
        for accessor in (dlt.secrets, dlt.config):
            value, traces = accessor._get_value(field, kind)
            if value is not None:
                found = traces[-1]
                is_variable = found.provider == EnvironProvider().name
                return str(found.key if is_variable else found.provider_location or found.provider)
    return None
