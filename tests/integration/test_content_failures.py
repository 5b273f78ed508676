"""Contents of reports that cannot be fetched: each is on record with the reason, and keeps what was fetched before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.destinations.registry import open_session
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import AuthError
from cogny_source.monitoring.status import read_status
from cogny_source.sandbox import SandboxServer
from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Request
from cogny_source.schema import REPORT_CONTENTS
from tests.support.contents import (
    assert_contents,
    complete_one,
    count_fetches,
    find_newest,
    list_completed,
    load_contents,
    make_world,
    read_contents,
    refusing,
    sync_contents,
)
from tests.support.syncs import each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact

CHILDREN = [child.name for child in REPORT_CONTENTS.child_tables]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A small world whose clock stands still."""
    with SandboxServer(make_world()) as server:
        yield server


def let_pauses_pass(ask: Ask, **pause: float) -> None:
    """Move the last requests into the past."""
    seconds = timedelta(**pause).total_seconds()
    ask(f"UPDATE report_contents SET attempted_at = attempted_at - INTERVAL {seconds} SECOND")


def test_a_report_without_a_content_is_on_record_and_asked_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """After a pause, and the others come at once; once it is there, it comes."""
    newest = find_newest(sandbox, 3)
    with refusing(sandbox, newest, 500):
        sync_contents(sandbox, tmp_path, max_outage_seconds=0.001)
        assert sorted(ask("SELECT report_id FROM report_contents WHERE status <> 'fetched'")) == [
            (key,) for key in sorted(newest)
        ]
        recorded = "SELECT DISTINCT status, attempts, error->>'$.status' FROM report_contents WHERE status <> 'fetched'"
        assert ask(recorded) == [("failed", 1, "500")]
        assert ask("SELECT count(*) FROM report_contents") == [(len(list_completed(sandbox.world)),)]
        assert sync_contents(sandbox, tmp_path)[1] == 0
        let_pauses_pass(ask, minutes=10)
        sync_contents(sandbox, tmp_path, max_outage_seconds=0.001)
        assert ask(recorded) == [("failed", 2, "500")]
    let_pauses_pass(ask, minutes=20)
    told_run, fetches = sync_contents(sandbox, tmp_path)
    assert (fetches, told_run.counts.unexplained_rows) == (3, 0)
    assert_contents(ask, sandbox.world)


@pytest.mark.parametrize("status", [404, pytest.param(500, marks=pytest.mark.long)])
def test_a_failure_keeps_the_content_of_the_version_before(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, status: int
) -> None:
    """The row says which version the content is of, which was asked for in vain, and why."""
    load_contents(tmp_path)
    [key] = find_newest(sandbox, 1)
    before, held = read_contents(ask), ask(f"SELECT report_updated_at, fetched_at FROM report_contents {by(key)}")
    sandbox.world.patch("reports", key, metadata={"moved": True})
    with refusing(sandbox, [key], status):
        sync_contents(sandbox, tmp_path, max_outage_seconds=0.001)
    after = read_contents(ask)
    for table in CHILDREN:
        assert after[table] == before[table]
    [(told, *content)] = ask(f"SELECT status, report_updated_at, fetched_at FROM report_contents {by(key)}")
    assert (told, [tuple(content)]) == ("missing" if status == 404 else "failed", held)
    versions = f"SELECT attempted_updated_at = (SELECT updated_at FROM reports WHERE id = '{key}'), attempts"
    assert ask(f"{versions} FROM report_contents {by(key)}") == [(True, 1)]
    let_pauses_pass(ask, minutes=10)
    sync_contents(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)


def by(key: str) -> str:
    """The condition for the rows of a report."""
    return f"WHERE report_id = '{key}'"


def test_a_larger_content_than_allowed_has_a_status_of_its_own(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The error names the setting; with a larger one it comes."""
    [key] = find_newest(sandbox, 1)
    answer = sandbox.api._content

    def serve(request: Request, identity: str) -> Answer:
        found = answer(request, identity)
        return replace(found, body=found.body + b" " * 600_000) if identity == key else found

    sandbox.api._content = serve  # type: ignore[method-assign]
    sync_contents(sandbox, tmp_path, max_answer_megabytes=0.5)
    [(told, error)] = ask(f"SELECT status, error->>'$.message' FROM report_contents {by(key)}")
    assert told == "too_large"
    assert "max_answer_megabytes" in error
    let_pauses_pass(ask, minutes=10)
    assert sync_contents(sandbox, tmp_path)[1] == 1
    assert_contents(ask, sandbox.world)


def test_an_error_of_the_key_is_told_after_what_was_fetched(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The rows and the contents so far are loaded; the record says what happened."""
    keys = sandbox.api.keys

    def revoke(run: ResourceRun, _: int | None) -> None:
        if run.resource == "report_contents" and run.meter.rows == 10:
            sandbox.api.keys = {}

    with pytest.raises(AuthError):
        sync(pipeline, settings_for(sandbox, contents="all"), progress=each_page(revoke))
    sandbox.api.keys = keys
    [(fetched,)] = ask("SELECT count(*) FROM report_contents")
    assert 10 <= fetched < 20
    assert_exact(ask, sandbox.world)
    sync_contents(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)
    statuses = ask("SELECT resource, status FROM sync_runs WHERE status <> 'done' ORDER BY 1")
    assert statuses == [("report_contents", "failed")]


def test_contents_of_an_interrupted_sync_wait(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """Where a resource fails, no content is fetched, and the record says why."""

    def drop_key(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets":
            raise AuthError("revoked", status=401)

    with pytest.raises(AuthError):
        sync(pipeline, settings_for(sandbox, contents="all"), progress=each_page(drop_key))
    assert count_fetches(sandbox) == 0


def test_status_tells_what_is_to_go_and_what_is_left_out(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """By the tables and the last setting, also after a run that failed and one that fetched none."""

    def tell() -> dict[str, Any] | None:
        facts = read_status(open_session(make_pipeline(tmp_path, "looker"), 5.0), datetime.now(UTC)).contents
        counts = {} if facts is None else {name: number for name, number in asdict(facts.counts).items() if number}
        return None if facts is None else {"mode": facts.mode, **counts}

    assert tell() is None
    complete_one(sandbox)
    completed, earliest = list_completed(sandbox.world), datetime.now(UTC) - timedelta(days=1)
    recent = {row["id"] for row in completed if datetime.fromisoformat(row["completed_at"]) > earliest}
    [failing] = [key for key in find_newest(sandbox, len(recent) + 1) if key not in recent]
    sync_contents(sandbox, tmp_path, contents="new")
    assert tell() == {"mode": "new", "fetched": len(recent), "left_out": len(completed) - len(recent)}
    with refusing(sandbox, [failing], 404):
        sync_contents(sandbox, tmp_path, contents="all", contents_per_run=12)
    fetched, left = len(recent) + 11, len(completed) - len(recent) - 12
    assert tell() == {"mode": "all", "fetched": fetched, "missing": 1, "to_go": left}
    sync(make_pipeline(tmp_path), settings_for(sandbox, contents="never"))
    assert tell() == {"mode": "never", "fetched": fetched, "missing": 1, "left_out": left}

    def revoke(run: ResourceRun, _: int | None) -> None:
        if run.resource == "report_contents":
            raise AuthError("revoked", status=401)

    with pytest.raises(AuthError):
        sync(make_pipeline(tmp_path), settings_for(sandbox, contents="all"), progress=each_page(revoke))
    assert tell() == {"mode": "all", "fetched": fetched + 1, "missing": 1, "to_go": left - 1}
    let_pauses_pass(ask, minutes=10)
    assert tell() == {"mode": "all", "fetched": fetched + 1, "missing": 1, "to_go": left}
