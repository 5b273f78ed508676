"""Local files: how DuckDB's SQL reads them, and whether this user may write them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

GLOB = re.compile(r"[\[*?]")


def read_local(paths: Sequence[str]) -> str:
    """The FROM expression for the rows of local files; `status=raw` in a path is not a column."""
    # Characters of a glob are escaped: each path names one file.
    escaped = [GLOB.sub(lambda match: f"[{match[0]}]", path).replace("'", "''") for path in paths]
    listed = ", ".join(f"'{path}'" for path in escaped)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def is_read_only(folder: Path, file: str) -> bool:
    """Whether this user may not write a file in a folder; False for a folder that does not exist yet."""
    path = folder / file
    return folder.is_dir() and not os.access(path if path.exists() else folder, os.W_OK)
