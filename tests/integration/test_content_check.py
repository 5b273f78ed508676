"""The check of the contents of reports: the tables among each other, and the newest ones with the API's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.api.http_client import make_client
from cogny_source.api.meter import Meter
from cogny_source.destinations.registry import open_session
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.extract.content_state import ContentScope
from cogny_source.extract.context import Difference, ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.reconcile.content_check import ContentCheck
from cogny_source.sandbox import SandboxServer
from tests.support.contents import list_completed, load_contents, make_world, refusing
from tests.support.syncs import Script, make_pipeline, settings_for
from tests.support.truth import Ask


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A small world whose clock stands still."""
    with SandboxServer(make_world()) as server:
        yield server


def check(sandbox: SandboxServer, folder: Path, newest: int = 0, *, verify: bool = False) -> ResourceRun:
    """Sync, and check the contents; the record of the contents."""
    settings = settings_for(sandbox, contents="all")
    result: SyncResult = sync(make_pipeline(folder), settings, verify=verify, verify_contents=newest)
    assert all(run.counts.differences in (None, ()) for run in result.resources[:-1])
    return result.resources[-1]


def test_exact_contents_are_proven(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """With `--verify` without a request; of the newest ones, with one each."""
    completed = len(list_completed(sandbox.world))
    first = check(sandbox, tmp_path, verify=True)
    assert (first.counts.differences, first.meter.requests, first.counts.compared_rows) == ((), completed, 0)
    again = check(sandbox, tmp_path, 3)
    assert (again.counts.differences, again.meter.requests, again.counts.compared_rows) == ((), 3, 3)
    assert again.meter.rows == 0
    more = check(sandbox, tmp_path, 1_000)
    assert (more.counts.differences, more.meter.requests) == ((), completed)


def test_whatever_differs_is_found(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Each cell that comes from the API, each list, rows that occur twice, and rows without a parent."""
    load_contents(tmp_path)
    keys = sorted({key for (key,) in ask("SELECT report_id FROM report_recommendations__action_items")})[:5]
    ask(f"UPDATE report_contents SET total_queries = 99 WHERE report_id = '{keys[0]}'")
    ask(f"UPDATE report_recommendations SET effort = 'x' WHERE report_id = '{keys[1]}'")
    ask(f"DELETE FROM report_recommendations__action_items WHERE report_id = '{keys[2]}'")
    ask(f"INSERT INTO report_sections SELECT * FROM report_sections WHERE report_id = '{keys[3]}'")
    assert set(check(sandbox, tmp_path, 1_000).counts.differences or ()) == {
        Difference("report_contents", keys[0], "differs"),
        Difference("report_recommendations", keys[1], "differs"),
        Difference("report_recommendations__action_items", keys[2], "differs"),
        Difference("report_sections", keys[3], "differs"),
    }
    ask(f"INSERT INTO report_contents SELECT * FROM report_contents WHERE report_id = '{keys[4]}'")
    ask("INSERT INTO report_insights (report_id, section_position, position) VALUES ('rpt_none', 0, 0)")
    ask("INSERT INTO report_contents (report_id, status) VALUES ('rpt_nobody', 'failed')")
    ask("INSERT INTO report_sections (report_id, position) VALUES ('rpt_nobody', 0)")
    assert set(check(sandbox, tmp_path, verify=True).counts.differences or ()) == {
        Difference("report_contents", keys[4], "there more than once"),
        Difference("report_insights", "rpt_none", "without a parent"),
        Difference("report_contents", "rpt_nobody", "without a parent"),
        Difference("report_sections", "rpt_nobody", "without a parent"),
    }


def check_alone(sandbox: SandboxServer, folder: Path, newest: int, recorded: set[str]) -> tuple[Difference, ...]:
    """Check the contents without a sync before."""
    client = make_client(settings_for(sandbox))
    context = ReadContext(client, ENDPOINTS["reports"], Meter(), lambda: None, 1000)
    return ContentCheck(open_session(make_pipeline(folder), 5.0), newest)(context, ContentScope("all"), recorded)


def test_what_a_run_recorded_and_lost_is_found(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """As where a load says that it took rows, and did not; what is to go is no fault."""
    load_contents(tmp_path)
    keys = [row["id"] for row in list_completed(sandbox.world)][:2]
    ask(f"DELETE FROM report_contents WHERE report_id IN ('{keys[0]}', '{keys[1]}')")
    found = check_alone(sandbox, tmp_path, 0, {keys[0], "rpt_else"})
    assert [row for row in found if row.table == "report_contents"] == [
        Difference("report_contents", keys[0], "missing")
    ]


@pytest.mark.parametrize("moved", [True, False])
def test_content_of_a_report_that_moved_is_no_fault(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, moved: bool
) -> None:
    """The next sync fetches it; where the version is the same, the content changed without a trace."""
    load_contents(tmp_path)
    [row] = [row for row in list_completed(sandbox.world) if row["summary"]["total_insights"] > 1][:1]
    ask(f"UPDATE report_insights SET confidence = 7 WHERE report_id = '{row['id']}'")
    [gone] = [other["id"] for other in list_completed(sandbox.world) if other["id"] != row["id"]][:1]
    if moved:
        for key in (row["id"], gone):
            sandbox.world.patch("reports", key, metadata={"moved": True})
    with refusing(sandbox, [gone], 404):
        assert set(check_alone(sandbox, tmp_path, 1_000, set())) == {
            Difference("report_insights", row["id"], "differs", fresh=moved),
            Difference("report_contents", gone, "not listed", fresh=moved),
        }


def test_command_verifies_contents(sandbox: SandboxServer, sync_here: Script, ask: Ask) -> None:
    """Fifty without a number; a difference is shown, and fails the run."""
    completed = len(list_completed(sandbox.world))
    told = sync_here("--contents", "all", "--verify-contents").stdout
    assert f"Verified {completed} contents of reports: all as the API lists them." in told
    ask("UPDATE report_sections SET title = 'x'")
    told = sync_here("--verify-contents", "1", expect=1).stdout
    assert "report_sections" in told
    assert "Verified 1 content of reports: 1 differ." in told
    assert "differs" not in sync_here("--verify-contents", "0").stdout
