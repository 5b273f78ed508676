"""Full disks, which the error of a library often does not name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import dlt

# A disk with less free space counts as full: a failed load may have removed its files again.
LITTLE_BYTES = 16 * 2**20


def list_folders(pipeline: dlt.Pipeline) -> list[Path]:
    """The local folders that a load writes: working directory, folder for temporary files, destination."""
    folders = [Path(pipeline.working_dir), Path(tempfile.gettempdir())]
    parameters = {} if pipeline.destination is None else pipeline.destination.config_params
    for name in ("bucket_url", "credentials"):
        scheme, _, path = str(parameters.get(name) or "").rpartition("://")
        if path and scheme in ("", "file"):
            folders.append(Path(unquote(path) if scheme else path))
    return folders


def describe_full_disks(folders: Iterable[Path]) -> str:
    """A clause that names the full disks of folders; empty if none is full."""
    full: dict[tuple[int, int], str] = {}
    for folder in folders:
        place = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
        if place is None:
            continue
        usage = shutil.disk_usage(place)
        if usage.free < LITTLE_BYTES:
            full.setdefault((usage.total, usage.free), f"the disk of {place} has {usage.free / 2**20:.1f} MB left")
    return "".join(f"; {clause}" for clause in full.values())
