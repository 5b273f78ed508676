"""The loop around the source, and the source alone, on a real pipeline."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import cogny_source, sync
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import AlreadyRunning, ConfigError, Forbidden, Stopped
from cogny_source.sandbox import SandboxServer
from cogny_source.settings import Settings
from tests.support.syncs import each_page, make_pipeline, settings_for
from tests.support.truth import assert_exact


def test_source_alone_works_under_a_plain_run(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pipeline.run(cogny_source())` brings everything, then only what changed."""
    monkeypatch.setenv("SOURCES__COGNY__API_KEY", "sk_test_sandbox")
    monkeypatch.setenv("SOURCES__COGNY__BASE_URL", sandbox.base_url)
    monkeypatch.setenv("BASE_URL", "https://elsewhere.example/v1")
    pipeline.run(cogny_source(), loader_file_format="parquet")
    assert_exact(ask, sandbox.world)
    row = sandbox.world.rows("tickets")[5]
    sandbox.world.patch("tickets", row["id"], action_items=[], status="dismissed")
    asked = len(sandbox.requests)
    pipeline.run(cogny_source(), loader_file_format="parquet")
    assert_exact(ask, sandbox.world)
    assert len(sandbox.requests) == asked + 3


@pytest.mark.parametrize("way", ["sync", "plain run"])
def test_a_library_user_reads_no_warning(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """Neither of this connector nor of dlt, though dlt takes texts of JSON for a mistake."""
    logging.getLogger("dlt").filters.clear()
    if way == "sync":
        sync(pipeline, settings_for(sandbox))
    else:
        pipeline.run(cogny_source(api_key="sk_test_sandbox", base_url=sandbox.base_url), loader_file_format="parquet")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_source_alone_brings_each_row_once_where_filters_are_ignored(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that both passes of a run list, and rows that change between them, are there once, in the newest version."""
    monkeypatch.setenv("SOURCES__COGNY__CHUNK_ROWS", "100")
    sandbox.switches.ignored_filters = dict.fromkeys(("tickets", "reports"), frozenset({"updated_after"}))
    sandbox.switches.ignored_sorts = {"tickets": "oldest_first", "reports": "oldest_first"}
    sandbox.switches.churn_per_page = 5
    for quiet in (False, True):
        if quiet:
            sandbox.switches.churn_per_page = 0
        pipeline.run(cogny_source(api_key="sk_test_sandbox", base_url=sandbox.base_url), loader_file_format="parquet")
        assert ask("SELECT count(*) - count(DISTINCT id) FROM tickets") == [(0,)]
    assert_exact(ask, sandbox.world)


def test_unexpected_error_is_on_record(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any, tmp_path: Path
) -> None:
    """A run that a fault of the program ends is recorded as failed, with its class and first line, not as killed."""

    def break_down(run: ResourceRun, _: int | None) -> None:
        raise KeyError("sk_live_secret\x1b")

    with pytest.raises(KeyError):
        sync(pipeline, settings_for(sandbox), progress=each_page(break_down))
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    failed = ask("SELECT DISTINCT status, error FROM sync_runs WHERE status <> 'done'")
    assert failed == [("failed", "an unexpected error: KeyError: 'sk_live_…\\x1b'")]


def test_one_resource_can_be_selected(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any) -> None:
    """`with_resources` brings a resource with its child table, and asks for nothing else."""
    source = cogny_source(api_key="sk_test_sandbox", base_url=sandbox.base_url).with_resources("tickets")
    pipeline.run(source, loader_file_format="parquet")
    assert {request.path for request in sandbox.requests} == {"/v1/tickets"}
    assert ask("SELECT count(*) FROM tickets") == [(450,)]
    items = sum(len(row["action_items"]) for row in sandbox.world.rows("tickets"))
    assert ask("SELECT count(*) FROM tickets__action_items") == [(items,)]


def test_chunks_are_committed_one_by_one(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any, tmp_path: Path
) -> None:
    """Stopped between two chunks, the loop has loaded the first, and goes on from there."""
    stop = CancelToken()

    def stop_after_12_pages(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets" and run.meter.pages == 12:
            stop.set(15)

    row = sandbox.world.rows("tickets")[0]
    for number in range(1100):
        sandbox.world.put("tickets", {**row, "id": f"tkt_{number:06}"})
    settings = settings_for(sandbox, chunk_rows=500)
    with pytest.raises(Stopped):
        sync(pipeline, settings, progress=each_page(stop_after_12_pages), stop=stop)
    [(loaded,)] = ask("SELECT count(*) FROM tickets")
    assert loaded == 1200
    assert ask("SELECT status FROM sync_runs WHERE resource = 'tickets'") == [("stopped",)]
    result = sync(make_pipeline(tmp_path), settings)
    assert [run.status for run in result.resources] == ["done", "done", "done"]
    assert_exact(ask, sandbox.world)


def test_second_run_is_turned_away(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """While one run works, another in the same working directory ends at once and asks nothing."""
    entered, go_on = threading.Event(), threading.Event()

    def wait(_: ResourceRun, __: int | None) -> None:
        entered.set()
        go_on.wait(30)

    first = threading.Thread(
        target=sync,
        args=(pipeline, settings_for(sandbox)),
        kwargs={"progress": each_page(wait), "resources": ["tickets"]},
    )
    first.start()
    try:
        assert entered.wait(30)
        asked = len(sandbox.requests)
        with pytest.raises(AlreadyRunning):
            sync(make_pipeline(tmp_path), settings_for(sandbox))
        assert len(sandbox.requests) == asked
    finally:
        go_on.set()
        first.join()


def test_what_the_others_read_is_loaded_before_an_error(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Any, tmp_path: Path
) -> None:
    """A resource that is refused ends the run; what the others have read by then is loaded, and told apart."""
    sandbox.switches.latency_seconds = 0.05
    settings = settings_for(sandbox, chunk_rows=100)
    refused = replace(settings, api_key="sk_live_reports_only_sandbox")
    with pytest.raises(Forbidden, match="tickets:read"):
        sync(pipeline, refused)
    told = ask("SELECT resource, status, regexp_extract(error, '[a-z]+:read') FROM sync_runs ORDER BY resource")
    assert told == [
        ("reports", "stopped", "tickets:read"),
        ("tickets", "failed", "tickets:read"),
        ("warehouses", "failed", "warehouses:read"),
    ]
    assert ask("SELECT count(*) FROM reports") == [(40,)]
    sync(make_pipeline(tmp_path), settings)
    assert_exact(ask, sandbox.world)


def test_rows_of_two_origins_do_not_mix(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A dataset with the sandbox's rows is refused to the real API, whose older rows its watermark would hide."""
    sync(pipeline, settings_for(sandbox))
    with pytest.raises(ConfigError, match="another dataset"):
        sync(make_pipeline(tmp_path), Settings("sk_live_x", "https://api.cogny.com/v1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resources": ["tickets", "bananas"]}, "unknown resource bananas"),
        ({"start_date": "2025-02-03", "end_date": "2025-02-03"}, "later than start_date"),
        ({"end_date": "soon"}, "end_date is 'soon'"),
    ],
)
def test_wrong_arguments_are_named(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, arguments: dict[str, Any], message: str
) -> None:
    """What cannot be meant is refused before the first request."""
    with pytest.raises(ConfigError, match=message):
        sync(pipeline, settings_for(sandbox), **arguments)
    assert len(sandbox.requests) == 0
