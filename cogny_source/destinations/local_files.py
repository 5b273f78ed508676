"""Local files: in DuckDB's SQL, and whether they may be written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

GLOB = re.compile(r"[\[*?]")


def read_local(paths: Sequence[str]) -> str:
    """What stands after FROM for the rows of local files; `status=raw` in a path is no column."""
    # A path stands for itself, whatever is in it.
    escaped = [GLOB.sub(lambda found: f"[{found[0]}]", path).replace("'", "''") for path in paths]
    listed = ", ".join(f"'{path}'" for path in escaped)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def is_read_only(folder: Path, file: str) -> bool:
    """Whether this user may not write a file of a folder; a folder that is not there yet may be made."""
    path = folder / file
    return folder.is_dir() and not os.access(path if path.exists() else folder, os.W_OK)
