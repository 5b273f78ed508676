"""The status of a dataset as Prometheus metrics, for node_exporter's textfile collector or a push gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from cogny_source.monitoring.health import Health, Level, ResourceFacts
from cogny_source.monitoring.run_history import DONE
from cogny_source.monitoring.status import DatasetStatus

LEVELS = "0: not synced, 1: ok, 2: warn, 3: error"
PLACE = ("destination", "dataset")
# Name and help of each metric that has a value for each synced resource.
OF_RESOURCES = {
    "cogny_resource_level": f"The level of a resource ({LEVELS}).",
    "cogny_rows": "Rows that are not marked deleted.",
    "cogny_deleted_rows": "Rows that are marked deleted.",
    "cogny_watermark_timestamp_seconds": "All changes before it are loaded.",
    "cogny_age_seconds": "The age of the data.",
    "cogny_first_load_windows_left": "Windows of the first load that are left.",
    "cogny_unexplained_rows": "Rows that the API counts and the table lacks, at the last comparison of counts.",
    "cogny_last_run_success": "Whether the last ended run was done.",
    "cogny_last_run_timestamp_seconds": "When the last ended run began.",
    "cogny_last_run_duration_seconds": "How long the last ended run took.",
    "cogny_last_run_rows": "Rows that the last ended run read.",
    "cogny_last_run_requests": "Requests that the last ended run sent.",
    "cogny_last_run_waited_seconds": "How long the last ended run waited for the rate limit and between retries.",
    "cogny_last_complete_run_timestamp_seconds": "When the last complete run began.",
}


def render_status(status: DatasetStatus, destination: str, dataset: str, *, fails: bool) -> str:
    """The status in Prometheus' text format; times are seconds since 1970.

    Args:
        status: The status.
        destination: The destination's identity, a label of each metric.
        dataset: The dataset, a label of each metric.
        fails: Whether it counts as unhealthy.
    """
    registry, place = _render_health(status.health, destination, dataset, fails=fails)
    _add(registry, "cogny_sync_running", "Whether a sync runs now.", place, status.running)
    synced = [known for known in status.resources if known.is_synced]
    told = {known.resource: dict(_measure(known, status)) for known in synced}
    for name, text in OF_RESOURCES.items():
        gauge = Gauge(name, text, (*PLACE, "resource"), registry=registry)
        for resource, values in told.items():
            if (value := values[name]) is not None:
                gauge.labels(**place, resource=resource).set(value)
    return generate_latest(registry).decode()


def render_health(health: Health, destination: str, dataset: str) -> str:
    """The health of a dataset that could not be read, in Prometheus' text format."""
    registry, _ = _render_health(health, destination, dataset, fails=True)
    return generate_latest(registry).decode()


def _render_health(
    health: Health, destination: str, dataset: str, *, fails: bool
) -> tuple[CollectorRegistry, dict[str, str]]:
    registry, place = CollectorRegistry(), {"destination": destination, "dataset": dataset}
    _add(registry, "cogny_healthy", "Whether the dataset counts as healthy.", place, not fails)
    _add(registry, "cogny_level", f"The level of the dataset ({LEVELS}).", place, health.level)
    return registry, place


def _add(registry: CollectorRegistry, name: str, text: str, labels: Mapping[str, str], value: float) -> None:
    Gauge(name, text, tuple(labels), registry=registry).labels(**labels).set(value)


def _measure(known: ResourceFacts, status: DatasetStatus) -> Iterator[tuple[str, float | None]]:
    """The value of each metric; None where it is not known, as a missing sample is no zero."""
    history, last = known.history, known.history.last_ended
    complete = history.last_complete
    yield "cogny_resource_level", Level(status.health.of(known.resource).level)
    yield "cogny_rows", known.rows
    yield "cogny_deleted_rows", known.deleted_rows
    yield "cogny_watermark_timestamp_seconds", _epoch(known.updated_after)
    yield "cogny_age_seconds", known.age_seconds(status.at)
    yield "cogny_first_load_windows_left", known.backfill_windows
    yield "cogny_unexplained_rows", history.unexplained_rows
    yield "cogny_last_run_success", None if last is None else last.status == DONE
    yield "cogny_last_run_timestamp_seconds", None if last is None else _epoch(last.started_at)
    yield "cogny_last_run_duration_seconds", None if last is None else last.seconds
    yield "cogny_last_run_rows", None if last is None else last.rows
    yield "cogny_last_run_requests", None if last is None else last.requests
    yield "cogny_last_run_waited_seconds", None if last is None else last.waited_seconds
    yield "cogny_last_complete_run_timestamp_seconds", None if complete is None else _epoch(complete.started_at)


def _epoch(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
