"""Warnings of fields that no column declares: each new one once, not with every sync."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from cogny_source.destinations.reader import DestinationReader
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import LoadFailed
from cogny_source.log_fields import fields
from cogny_source.records.chunk import Chunk

logger = logging.getLogger(__name__)

# Runs on record that are read for the fields that they had.
EARLIER_RUNS = 100


class FieldReport:
    """Warns of the undeclared fields of one resource that no earlier run on record had.

    Args:
        destination: Has the record of the earlier runs.
        run: Counts the fields.
    """

    def __init__(self, destination: DestinationReader, run: ResourceRun) -> None:
        self._destination = destination
        self._run = run
        self._known: set[str] | None = None
        self._warned = False

    def observe(self, chunk: Chunk) -> None:
        """Count the fields of a chunk, and warn of new ones, up to ten by name."""
        for name in self._run.undeclared.observe(chunk.undeclared):
            if self._known is None:
                self._known = self._read_known()
            if name in self._known:
                continue
            self._warned = True
            logger.warning(
                '%s: the field "%s" fits no column; its values are kept in extra',
                self._run.resource,
                name,
                extra=fields(resource=self._run.resource, field=name),
            )

    def finish(self) -> None:
        """Warn of the number of fields that were not reported by name, beside new ones that were."""
        others = self._run.undeclared.describe_others(self._run.undeclared.reported)
        if others is not None and self._warned:
            logger.warning("%s: … and %s (see undeclared_fields in sync_runs)", self._run.resource, others)

    def _read_known(self) -> set[str]:
        """The fields of earlier runs; none if there is no such record."""
        query = (
            f"SELECT undeclared_fields FROM sync_runs WHERE resource = '{self._run.resource}'"
            f" AND undeclared_fields IS NOT NULL ORDER BY started_at DESC LIMIT {EARLIER_RUNS}"
        )
        try:
            records = self._destination.query_or_empty(query)
        except LoadFailed as error:  # a table of an earlier version may lack the column
            logger.debug("the fields of earlier runs cannot be read: %s", error)
            return set()
        return {name for (record,) in records for name in _read_names(record)}


def _read_names(record: Any) -> set[str]:
    try:
        found = orjson.loads(record) if isinstance(record, str) else record
    except orjson.JSONDecodeError:  # somebody else wrote it
        return set()
    return set(found) if isinstance(found, dict) else set()
