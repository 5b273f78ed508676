"""The summary of a sync, and what a verification found, as log lines with fields."""

from __future__ import annotations

import logging

from cogny_source.cli.summary import SHOWN_DIFFERENCES, sum_up
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_record import SyncResult
from cogny_source.log_fields import fields

logger = logging.getLogger(__name__)


def log_summary(result: SyncResult, destination: DestinationSession) -> None:
    """Log a line for each resource, with its figures as fields."""
    with destination.connect():
        for run in result.resources:
            line = sum_up(run, destination)
            values = line._asdict() | {
                "resource": line.name,
                "retries": run.meter.retries,
                "waited_seconds": round(run.meter.waited_seconds, 3),
                "updated_after": run.updated_after,
                "undeclared_fields": dict(run.undeclared),
            }
            del values["name"]
            name, *parts = line.describe()
            logger.info("%s: %s", name, ", ".join(parts), extra=fields(run_id=result.run_id, **values))


def log_differences(result: SyncResult) -> None:
    """Log a line for each row that differs and did not change since the sync, up to `SHOWN_DIFFERENCES`."""
    faults = [row for run in result.resources for row in run.counts.differences or () if not row.fresh]
    for row in faults[:SHOWN_DIFFERENCES]:
        values = fields(run_id=result.run_id, table=row.table, key=row.key, kind=row.kind, columns=list(row.columns))
        logger.warning("%s %s: %s", row.table, row.key, row.kind, extra=values)
    if len(faults) > SHOWN_DIFFERENCES:
        logger.warning("and %d more", len(faults) - SHOWN_DIFFERENCES, extra=fields(run_id=result.run_id))
