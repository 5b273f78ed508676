"""Makes a run for a pipeline, and runs it under the lock of its working directory."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import dlt

from cogny_source.api.http_client import HttpClient, Timing, make_client
from cogny_source.destinations.dlt_internals import cache_capabilities, cache_type_hints
from cogny_source.destinations.registry import check_supported, open_session
from cogny_source.dlt_settings import resolve_settings
from cogny_source.engine.address_space import check_address_space, read_limit
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.prefetch import Prefetcher
from cogny_source.engine.progress import Progress, Silence
from cogny_source.engine.run_journal import Journal
from cogny_source.engine.run_loop import Run
from cogny_source.engine.run_record import SyncResult
from cogny_source.engine.state_store import StateStore, restore_states
from cogny_source.engine.working_dir import hold_lock
from cogny_source.errors import ConfigError
from cogny_source.extract.endpoints import ENDPOINTS, select_resources
from cogny_source.extract.plan import Census, Plan, make_plan
from cogny_source.log_fields import common_fields
from cogny_source.reconcile.content_backlog import ContentTables
from cogny_source.reconcile.content_check import ContentCheck
from cogny_source.schema import REPORTS
from cogny_source.settings import Settings, parse_date, parse_start_date
from cogny_source.windows import Window

logger = logging.getLogger(__name__)

# After a signal, open requests may finish for this long, and are then aborted.
PAGE_IN_HAND_SECONDS = 1.0


def sync(
    pipeline: dlt.Pipeline,
    settings: Settings | None = None,
    *,
    resources: Sequence[str] | None = None,
    start_date: str | datetime | None = None,
    end_date: str | datetime | None = None,
    full_refresh: bool = False,
    census: Census = "auto",
    verify: bool = False,
    verify_contents: int = 0,
    accept_deletions: bool = False,
    progress: Progress | None = None,
    stop: CancelToken | None = None,
) -> SyncResult:
    """Bring the destination up to date, committing chunk by chunk.

    Args:
        pipeline: A dlt pipeline with its destination and dataset.
        settings: The settings; by default those of dlt's configuration.
        resources: The resources to sync; by default all.
        start_date: Rows created before it are left out; overrides the setting. The dataset keeps it: a run without one
            goes by the dataset's, an earlier one loads what lies between, and `all` loads everything.
        end_date: If given, only rows created in `[start_date, end_date)` are read, and no watermark moves.
        full_refresh: Read everything again; old rows stay until the new ones replace them.
        census: When to compare all rows that the API lists with the destination, to mark deleted rows and load missing
            ones: `auto` does so if the counts of both sides differ.
        verify: Compare the destination with the API afterwards, row for row; see `ResourceRun.counts.differences`.
        verify_contents: How many of the newest contents of reports to fetch again and compare afterwards.
        accept_deletions: Let a census mark any number of rows that the API no longer lists. By default, more than a
            tenth of a table's rows end the run with `MassDeletion`, and none is marked.
        progress: Called for each page, wait and load.
        stop: Set it from a signal handler to stop after the current page.

    Returns:
        The record of each resource.

    Raises:
        ConfigError: If the arguments contradict each other, or the destination is not supported.
        AlreadyRunning: If another run works in the same working directory.
        LoadFailed: If the destination refuses a load package, or another process does not unlock it in time.
        Stopped: If `stop` was set; complete chunks are loaded.
        CognyError: Any error that ended the reading; chunks that were complete before it are loaded.
    """
    check_address_space(read_limit())
    check_supported(pipeline)
    settings = settings or resolve_settings()
    plan = _make_plan(
        settings,
        start_date,
        end_date,
        full_refresh=full_refresh,
        census=census,
        verify=verify,
        verify_contents=verify_contents,
        accept_deletions=accept_deletions,
    )
    stop = stop or CancelToken()
    stop.check()
    names = select_resources(resources)
    lock = hold_lock(Path(pipeline.pipelines_dir), pipeline.pipeline_name)
    with lock, cache_capabilities(pipeline), cache_type_hints():
        reader_token = stop.linked()
        progress = progress or Silence()
        client = make_client(settings, Timing(sleep=reader_token.sleep, on_wait=progress.wait, check=stop.check))
        try:
            with stop.linked().call_after(PAGE_IN_HAND_SECONDS, client.hang_up):
                run = make_run(pipeline, client, settings, plan, names, progress, stop, reader_token)
                with common_fields(run_id=run.run_id):
                    assert pipeline.destination is not None
                    place = f"{pipeline.destination.destination_name}, {pipeline.dataset_name}"
                    logger.info("syncing %s of %s into %s", ", ".join(names), settings.base_url, place)
                    return run.execute()
        finally:
            client.close()


def check_dates(
    start_date: str | datetime | None, end_date: str | datetime | None, *, compares_all: bool
) -> tuple[datetime | None, datetime | None]:
    """The beginning and the end of what is to be read, as `sync` takes them.

    Args:
        start_date: As for `sync`.
        end_date: As for `sync`.
        compares_all: Whether whole tables are compared afterwards.

    Raises:
        ConfigError: If one is no date, or they contradict each other or the comparison.
    """
    begin, end = parse_start_date(start_date), parse_date(end_date, "end_date")
    if begin and end and begin >= end:
        raise ConfigError("end_date must be later than start_date")
    if end and compares_all:
        raise ConfigError("census and verify compare whole tables: leave end_date out")
    return begin, end


def _make_plan(
    settings: Settings, start_date: str | datetime | None, end_date: str | datetime | None, **options: Any
) -> Plan:
    compares_all = options["census"] == "always" or options["verify"]
    begin, end = check_dates(start_date or settings.start_date, end_date, compares_all=compares_all)
    return make_plan(settings, start_date=begin, window=Window(begin, end) if end else None, **options)


def make_run(
    pipeline: dlt.Pipeline,
    client: HttpClient,
    settings: Settings,
    plan: Plan,
    names: Sequence[str],
    progress: Progress,
    stop: CancelToken,
    reader_token: CancelToken,
) -> Run:
    """A run into a pipeline's destination; see `sync`.

    Args:
        pipeline: The pipeline.
        client: Sends the requests.
        settings: The settings.
        plan: What to do with each resource.
        names: The resources.
        progress: Observes the run.
        stop: Stops the run.
        reader_token: Linked to `stop`; can stop the readers alone.
    """
    run_id = str(uuid.uuid4())
    destination = open_session(pipeline, settings.destination_wait_seconds, stop.sleep)
    loader = destination.adapter.make_loader(destination)
    folder = Path(pipeline.pipelines_dir) / f"{pipeline.pipeline_name}.runs"
    with_contents = REPORTS.name in names and plan.window is None
    return Run(
        run_id,
        client,
        settings,
        plan,
        {name: ENDPOINTS[name] for name in names},
        progress,
        reader_token,
        destination,
        loader,
        StateStore(destination, names, partial(restore_states, destination, loader)),
        Journal(folder, run_id),
        Prefetcher(len(names) + 1, reader_token),
        ContentTables(destination) if with_contents else None,
        ContentCheck(destination, plan.verify_contents) if plan.verify or plan.verify_contents else None,
    )
