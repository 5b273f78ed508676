"""The status as Prometheus metrics, as Prometheus' own parser reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from cogny_source.monitoring.health import Finding, Health, Kind, Level, ResourceFacts
from cogny_source.monitoring.metrics import render_health, render_status
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import assess

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
AGO = NOW - timedelta(hours=1)
DONE = Run("r1", "tickets", "incremental", "done", AGO, AGO + timedelta(seconds=90), 7, rows=40, unexplained_rows=0)
PLACE = 'a "b"\\c\nd.duckdb cogny_data'


def read(text: str) -> dict[tuple[str, str | None], float]:
    """The samples by name and resource."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    assert {(sample.labels["destination"], sample.labels["dataset"]) for sample in samples} == {(PLACE, "cogny_data")}
    return {(sample.name, sample.labels.get("resource")): sample.value for sample in samples}


def test_each_figure_of_a_synced_resource_is_a_sample() -> None:
    """Times are seconds since 1970; a resource that is not synced has no samples."""
    tickets = ResourceFacts("tickets", RunHistory((DONE,)), 100, 2, AGO, 0)
    told = read(render_status(assess([tickets, ResourceFacts("reports")], NOW), PLACE, "cogny_data", fails=False))
    assert told == {
        ("cogny_healthy", None): 1,
        ("cogny_level", None): Level.OK,
        ("cogny_sync_running", None): 0,
        ("cogny_resource_level", "tickets"): Level.OK,
        ("cogny_rows", "tickets"): 100,
        ("cogny_deleted_rows", "tickets"): 2,
        ("cogny_watermark_timestamp_seconds", "tickets"): AGO.timestamp(),
        ("cogny_age_seconds", "tickets"): 3600,
        ("cogny_first_load_windows_left", "tickets"): 0,
        ("cogny_unexplained_rows", "tickets"): 0,
        ("cogny_last_run_success", "tickets"): 1,
        ("cogny_last_run_timestamp_seconds", "tickets"): AGO.timestamp(),
        ("cogny_last_run_duration_seconds", "tickets"): 90,
        ("cogny_last_run_rows", "tickets"): 40,
        ("cogny_last_run_requests", "tickets"): 7,
        ("cogny_last_run_waited_seconds", "tickets"): 0,
        ("cogny_last_complete_run_timestamp_seconds", "tickets"): AGO.timestamp(),
    }


def test_what_is_not_known_has_no_sample() -> None:
    """A zero would be a claim: of a first load that runs nothing is complete yet."""
    running = replace(DONE, status="running", finished_at=None, unexplained_rows=None)
    facts = ResourceFacts("tickets", RunHistory((running,)), 10)
    told = read(render_status(assess([facts], NOW, running=True), PLACE, "cogny_data", fails=False))
    names = {name for name, resource in told if resource}
    assert names == {"cogny_resource_level", "cogny_rows", "cogny_deleted_rows", "cogny_first_load_windows_left"}
    assert told["cogny_sync_running", None] == 1


def test_a_failed_run_is_told() -> None:
    """With the level of its resource, and of the dataset."""
    facts = ResourceFacts("tickets", RunHistory((DONE, replace(DONE, run_id="r2", status="failed"))), 10, 0, AGO)
    told = read(render_status(assess([facts], NOW), PLACE, "cogny_data", fails=True))
    assert (told["cogny_healthy", None], told["cogny_level", None]) == (0, Level.ERROR)
    assert (told["cogny_last_run_success", "tickets"], told["cogny_resource_level", "tickets"]) == (0, Level.ERROR)


def test_a_dataset_that_cannot_be_read_is_unhealthy() -> None:
    """And nothing else is said of it."""
    health = Health((Finding(Kind.NOT_READ, Level.ERROR, None, "it is no database"),))
    told = read(render_health(health, PLACE, "cogny_data"))
    assert told == {("cogny_healthy", None): 0, ("cogny_level", None): Level.ERROR}
