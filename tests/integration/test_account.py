"""A dataset takes no rows of another account, and the account is recognised at no cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.errors import ConfigError
from cogny_source.sandbox import SandboxServer, World
from cogny_source.settings import Settings
from tests.support.syncs import Script, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact


@pytest.fixture
def other() -> Iterator[SandboxServer]:
    """The same API with the key of another account."""
    with SandboxServer(World(seed=99, tickets=300, reports=30, warehouses=4)) as server:
        yield server


@pytest.mark.parametrize(
    "resources",
    [
        None,
        pytest.param(["tickets"], marks=pytest.mark.long),
        ["warehouses"],
        pytest.param(["tickets", "reports"], marks=pytest.mark.long),
    ],
)
def test_rows_of_another_account_are_refused(
    sandbox: SandboxServer,
    other: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    resources: list[str] | None,
) -> None:
    """One sentence, nothing loaded, nothing marked; with the right key the dataset goes on."""
    sync(pipeline, settings_for(sandbox))
    with pytest.raises(ConfigError, match="another account"):
        sync(make_pipeline(tmp_path), settings_for(other), resources=resources)
    assert_exact(ask, sandbox.world)
    for row in sandbox.world.rows("tickets")[:3]:
        sandbox.world.patch("tickets", row["id"], notes="changed")
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=resources)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_window_on_a_new_database_tells_whose_rows_they_are(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A load between two dates claims no row, but its state names the API, so that another one is refused."""
    sync(pipeline, settings_for(sandbox), end_date="2030-01-01")
    assert ask("SELECT count(*) FROM tickets") == [(450,)]
    elsewhere = Settings("sk_live_0123456789", "https://other.example/v1")
    with pytest.raises(ConfigError, match="this dataset holds rows of"):
        sync(make_pipeline(tmp_path), elsewhere)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_dataset_that_begins_late_is_recognised(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Where older rows were never wanted, the oldest of those that were tell it, also for a load between two dates."""
    rows = sandbox.world.rows("tickets")
    settings = settings_for(sandbox)
    sync(pipeline, settings, resources=["tickets"], start_date=rows[250]["created_at"])
    window = {"start_date": rows[100]["created_at"], "end_date": rows[110]["created_at"]}
    result = sync(make_pipeline(tmp_path), settings, resources=["tickets"], **window)
    wanted = [row for row in rows if window["start_date"] <= row["created_at"] < window["end_date"]]
    assert result.resources[0].rows_loaded["tickets"] == len(wanted)


def test_account_is_recognised_by_any_row(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """All warehouses exchanged, the newest ticket unknown: the oldest ones tell, with one request."""
    sync(pipeline, settings_for(sandbox))
    for place, row in enumerate(sandbox.world.rows("warehouses")):
        sandbox.world.delete("warehouses", row["id"])
        sandbox.world.put("warehouses", {**row, "id": f"wh_new_{place}"})
    sandbox.world.churn("tickets", 0, 1, 0)
    asked = len(sandbox.requests)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    oldest = [r for r in sandbox.requests[asked:] if r.params == {"sort": "created_at", "limit": "100"}]
    assert len([r for r in oldest if "created_after" not in r.params]) == 1


def test_recognising_the_account_costs_no_request(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """The list of warehouses tells it; for tickets alone, the row that comes with the count does."""
    sync(pipeline, settings_for(sandbox))
    for resources, requests in ((None, 5), (["tickets"], 2), (["warehouses"], 1)):
        asked = len(sandbox.requests)
        sync(make_pipeline(tmp_path), settings_for(sandbox), resources=resources)
        assert len(sandbox.requests) - asked == requests


def test_check_tells_the_account(cogny: Script, sandbox: SandboxServer) -> None:
    """By the names of its first warehouses, as the API names no account."""
    first = sandbox.world.rows("warehouses")[0]
    done = cogny("check")
    assert f"account: the one with {first['name']} ({first['id']})" in done.stdout
    assert "and 2 more warehouses" in done.stdout


def test_rows_before_the_start_date_are_no_other_account(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """An earlier start date, and a window before it: what comes first is not loaded, and a loaded row tells."""
    births = sorted(row["created_at"] for row in sandbox.world.rows("tickets"))
    sync(pipeline, settings_for(sandbox), resources=["tickets"], start_date=births[300])
    sync(
        make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=births[0], end_date=births[9]
    )
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=births[0])
    assert ask("SELECT count(*) FROM tickets") == [(450,)]


def test_page_of_new_rows_is_no_other_account(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A list that always comes newest first, and 150 new rows: one that is loaded tells."""
    sandbox.switches.ignored_sorts = {"tickets": "newest_first"}
    sync(pipeline, settings_for(sandbox), resources=["tickets"])
    sandbox.world.churn("tickets", 0, 150, 0)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
    assert ask("SELECT count(*) FROM tickets") == [(600,)]


def test_account_is_recognised_without_single_rows_and_filters(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """More rows before the start date than a page has, which an API without filters lists first: further pages tell."""
    births = sorted(row["created_at"] for row in sandbox.world.rows("tickets"))
    sandbox.switches.single_rows = False
    sandbox.switches.ignored_filters = {"tickets": frozenset({"*"})}
    sync(pipeline, settings_for(sandbox), resources=["tickets"], start_date=births[300])
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[299]["id"], notes="changed")
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=births[300])
    assert ask("SELECT count(*) FROM tickets") == [(450 - sum(birth < births[300] for birth in births),)]
