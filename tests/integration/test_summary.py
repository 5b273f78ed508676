"""The summary of a sync, as the command prints it."""

from __future__ import annotations

import re

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script


@pytest.mark.parametrize("columns", ["80", "100", "300"])
def test_sync_tells_new_from_changed_rows(cogny: Script, sandbox: SandboxServer, columns: str) -> None:
    """Each as the API had them, at any width; rows that the overlap brings again are neither."""
    tickets, reports = sandbox.world.count("tickets"), sandbox.world.count("reports")
    first = cogny("sync", "duckdb", COLUMNS=columns).stdout.splitlines()
    assert re.sub(r" +", " ", first[0]).startswith(f"tickets +{tickets} new {tickets} rows ")
    assert re.sub(r" +", " ", first[1]).startswith(f"reports +{reports} new {reports} rows ")
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], title="changed")
    sandbox.world.churn("tickets", created=3, changed=5)
    for ticket in sandbox.world.rows("tickets")[10:12]:
        sandbox.world.delete("tickets", ticket["id"])
    again = cogny("sync", "duckdb", COLUMNS=columns).stdout.splitlines()
    assert re.sub(r" +", " ", again[0]).startswith(f"tickets +3 new, 6 changed, 2 deleted {tickets + 1} rows ")
    assert again[1].startswith("reports ")
    assert "nothing new" in again[1]
    total = next(line for line in again if line.startswith("total"))
    assert re.sub(r" +", " ", total).startswith("total +3 new, 6 changed, 2 deleted ")


def test_nothing_is_padded_in_a_pipe(cogny: Script) -> None:
    """Neither the lines nor the tables; `--verbose` shows what each table got."""
    shown = cogny("sync", "duckdb", "--verbose").stdout
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []
    assert "tickets__action_items" in shown


def test_waits_and_undeclared_fields_have_lines_of_their_own(cogny: Script, sandbox: SandboxServer) -> None:
    """Below the summary, where there are any."""
    row = {**sandbox.world.rows("warehouses")[0], "id": "wh_odd", "sla": 1}
    sandbox.world.put("warehouses", row)
    shown = cogny("sync", "duckdb", "--resources", "warehouses").stdout
    assert "warehouses: fields without a column, kept in extra: sla (1).\n" in shown
    assert "waited" not in shown
