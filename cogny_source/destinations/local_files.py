"""Local Parquet files in DuckDB's SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

GLOB = re.compile(r"[\[*?]")


def read_local(paths: Sequence[str]) -> str:
    """What stands after FROM for the rows of local files; `status=raw` in a path is no column."""
    # A path stands for itself, whatever is in it.
    escaped = [GLOB.sub(lambda found: f"[{found[0]}]", path).replace("'", "''") for path in paths]
    listed = ", ".join(f"'{path}'" for path in escaped)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
