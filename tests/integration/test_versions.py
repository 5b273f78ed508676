"""An older version of a row never replaces a newer one on the word of one listing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact


def freeze_lists(sandbox: SandboxServer) -> None:
    """From now on lists come from a copy that no longer follows."""
    sandbox.switches.lists_frozen = True
    sandbox.api._listed_table("tickets")


def notes(ask: Ask, key: str) -> Any:
    """What the destination holds of a ticket's notes."""
    return ask(f"SELECT notes FROM tickets WHERE id = '{key}'")[0][0]


@pytest.mark.parametrize(
    "how",
    [
        {"census": "always"},
        {},
        *(pytest.param(how, marks=pytest.mark.long) for how in ({"full_refresh": True}, {"end_date": "2030-01-01"})),
    ],
)
def test_lagging_list_takes_no_change_back(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, how: dict[str, Any]
) -> None:
    """A census, a pass, a full refresh and a window from a copy that lags leave the newer version where it is."""
    sync(pipeline, settings_for(sandbox))
    key = sandbox.world.rows("tickets")[7]["id"]
    sandbox.world.patch("tickets", key, notes="first")
    freeze_lists(sandbox)
    sandbox.world.patch("tickets", key, notes="second")
    sandbox.switches.lists_frozen = False
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert notes(ask, key) == "second"
    row = sandbox.world.rows("tickets")[7]
    sandbox.world.patch("tickets", key, notes="first", updated_at=_earlier(row["updated_at"]))
    freeze_lists(sandbox)
    sandbox.world.put("tickets", row)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], **how)
    assert notes(ask, key) == "second"
    sandbox.switches.lists_frozen = False
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


@pytest.mark.parametrize("rows", [1, 90])
def test_backup_that_was_put_back_comes_through(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, rows: int
) -> None:
    """Where the API gives the older version row by row too, a census loads it; of many rows a sample is asked."""
    before = sandbox.world.rows("tickets")[:rows]
    for row in before:
        sandbox.world.patch("tickets", row["id"], notes="undone later")
    sync(pipeline, settings_for(sandbox))
    for row in before:
        sandbox.world.put("tickets", row)
    asked = len(sandbox.requests)
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert_exact(ask, sandbox.world)
    assert result.resources[0].counts.corrections == {"stepped back": rows}
    assert sum(r.path.startswith("/v1/tickets/") for r in sandbox.requests[asked:]) <= 50


def test_backup_comes_through_where_the_api_gives_no_single_rows(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A second listing confirms the older version then."""
    before = sandbox.world.rows("tickets")[3]
    sandbox.world.patch("tickets", before["id"], notes="undone later")
    sync(pipeline, settings_for(sandbox))
    sandbox.world.put("tickets", before)
    sandbox.switches.single_rows = False
    sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert_exact(ask, sandbox.world)


def _earlier(text: str) -> str:
    instant = datetime.fromisoformat(text).astimezone(UTC) - timedelta(milliseconds=5)
    return instant.isoformat().replace("+00:00", "Z")
