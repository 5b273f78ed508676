"""How to install further libraries beside the connector, in words that hold for the way it was installed."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path

from cogny_source.errors import ConfigError

DISTRIBUTION = "cogny-source"
# The folder of uv's cache in which `uvx` keeps environments; what is installed there by hand does not stay.
UVX_CACHE = "archive-v0"


def check_installed(module: str, library: str, extra: str) -> None:
    """Check that a module of an extra can be imported.

    Args:
        module: The module, such as `google.cloud.bigquery`.
        library: What people call it.
        extra: The extra that asks for it.

    Raises:
        ConfigError: If it is not installed; the message names the command that installs it.
    """
    if not _is_installed(module):
        requirements = find_requirements(extra)
        advice = describe_install(requirements) if requirements else f"it comes with the extra {extra}"
        raise ConfigError(f"{library} is not installed: {advice}")


def find_requirements(extra: str) -> list[str]:
    """The requirements of an extra, such as `deltalake<2,>=1.6.6`, from the package's metadata; none without it."""
    try:
        lines = [line.partition(";") for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return []
    return [requirement.strip() for requirement, _, marker in lines if f'extra == "{extra}"' in marker]


def describe_install(requirements: list[str], *, upgrade: bool = False) -> str:
    """What to run or write so that libraries are there.

    It names the libraries and never the connector, which may come from a clone, a URL or a file: the same command is
    right for all of them.

    Args:
        requirements: The libraries, such as `duckdb` or `s3fs>=2024.6`.
        upgrade: Whether they are installed already, in too low a version.
    """
    wanted = shlex.join(requirements)
    if UVX_CACHE in Path(sys.prefix).parts:
        return f"add {' '.join(f'--with {shlex.quote(requirement)}' for requirement in requirements)} to uvx"
    options = "--upgrade " if upgrade else ""
    if find_spec("pip") is not None:
        return f"run {shlex.quote(show_python())} -m pip install {options}{wanted}"
    return f"run uv pip install --python {shlex.quote(show_python())} {options}{wanted}"


def show_python() -> str:
    """The path of this Python, as a person would type it in the current folder."""
    relative = os.path.relpath(sys.executable)
    return sys.executable if relative.startswith("..") else relative


def _is_installed(module: str) -> bool:
    """Whether a module is there; the parents of a dotted name are imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
