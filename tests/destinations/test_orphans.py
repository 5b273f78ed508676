"""Child rows whose parent somebody removed: a census removes or refills them on each destination."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from cogny_source import sync
from cogny_source.sandbox import SandboxServer
from tests.support.places import DuckDBPlace, FolderPlace, Place
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact


def remove(kind: str, folder: Path, keys: list[str]) -> None:
    """Remove tickets by hand, without their lists."""
    listed = ", ".join(f"'{key}'" for key in keys)
    if kind == "duckdb":
        with duckdb.connect(str(folder / "cogny.duckdb")) as db:
            db.execute(f"DELETE FROM cogny_data.tickets WHERE id IN ({listed})")
    elif kind == "delta":
        DeltaTable(folder / "tables" / "tickets").delete(f"id IN ({listed})")
    else:
        place = (folder / "tables" / "tickets").resolve() / "tickets.parquet"
        rows = pq.read_table(place, filters=[("id", "not in", keys)])
        pq.write_table(rows, folder / "fewer")
        (folder / "fewer").replace(place)


@pytest.mark.parametrize("kind", ["duckdb", "parquet", pytest.param("delta", marks=pytest.mark.long)])
def test_lists_without_a_parent_are_removed_by_a_census(
    kind: Literal["duckdb", "parquet", "delta"], sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the API deleted the tickets meanwhile; the proof names them before, and nothing after."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    place: Place = DuckDBPlace(tmp_path) if kind == "duckdb" else FolderPlace(tmp_path, kind)
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    keys = [row["id"] for row in sandbox.world.rows("tickets") if row["action_items"]][:3]
    remove(kind, tmp_path, keys)
    for key in keys[1:]:
        sandbox.world.delete("tickets", key)
    tickets, *_ = sync(place.pipeline(), settings, census="never", verify=True).resources
    found = {(row.table, row.key, row.kind) for row in tickets.counts.differences or ()}
    assert found == {
        ("tickets", keys[0], "missing"),
        *(("tickets__action_items", key, "without a parent") for key in keys[1:]),
    }
    tickets, *_ = sync(place.pipeline(), settings, census="always", verify=True).resources
    assert tickets.counts.differences == ()
    assert_exact(place.ask, sandbox.world)
