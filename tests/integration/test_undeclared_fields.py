"""A sync names the fields that no column declares."""

from __future__ import annotations

from cogny_source.plain_text import safe_text
from cogny_source.sandbox import SandboxServer
from tests.support.hostile import NAMES
from tests.support.syncs import Script


def test_sync_tells_of_fields_with_any_name(sandbox: SandboxServer, cogny: Script) -> None:
    """It ends well, names ten of them, and counts the others; a sum of all is in its record."""
    names = [*NAMES[:-1], *(f"field {number}" for number in range(2_000))]
    sandbox.world.put("warehouses", {**sandbox.world.rows("warehouses")[0], "id": "wh_odd", **dict.fromkeys(names, 1)})
    done = cogny("sync", "duckdb", "--resources", "warehouses", COLUMNS="500")
    told = [line for line in done.stderr.splitlines() if "warehouses: " in line and "WARNING" in line]
    assert [line.partition("warehouses: ")[2] for line in told] == [
        *(
            f'the field "{name}" fits no column; its values are kept in extra'
            for name in sorted(map(safe_text, names))[:10]
        ),
        f"… and {len(names) - 10:,} further fields (see undeclared_fields in sync_runs)",
    ]
    assert "\x1b" not in done.stdout + done.stderr
    assert f"{len(names) - 10:,} further fields" in done.stdout
