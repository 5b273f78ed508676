"""How tables travel to a destination: as Arrow, or to BigQuery as newline-delimited JSON, and how they lie there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import dlt
import pyarrow as pa
from dlt.common.metrics import DataWriterMetrics
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.hints import HintsMeta
from dlt.extract.items import DataItemWithMeta

from cogny_source.engine.destination import loads_into_bigquery
from cogny_source.jsonl import write_jsonl
from cogny_source.schema import ListSpec, TableSpec

EMULATOR = "BIGQUERY_EMULATOR_HOST"
CLUSTERED = ("warehouse_id", "status", "priority")


class Ship(Protocol):
    """Makes of a table what dlt extracts."""

    def __call__(self, table: pa.Table, spec: TableSpec | ListSpec, hints: Any) -> Iterator[Any]:
        """The items to yield for a table under its hints."""


@contextmanager
def open_shipping(pipeline: dlt.Pipeline) -> Iterator[Ship]:
    """What makes of a table what dlt extracts; in use until the last one is extracted.

    Args:
        pipeline: The pipeline, which knows its destination.
    """
    if not loads_into_bigquery(pipeline):
        yield _ship_arrow
        return
    # dlt links the file into its package as soon as it is given.
    with TemporaryDirectory(dir=pipeline.working_dir) as folder:
        yield _JsonlShip(Path(folder), compress=EMULATOR not in os.environ)


def lay_out(spec: TableSpec | ListSpec) -> dict[str, Any]:
    """The hints that lay a table out in BigQuery: description, partitions by month, clusters.

    By month, as a statement may touch 4,000 partitions at most: as days these are eleven years, and one census may mend
    rows of more; and a day of tickets is far below the gigabyte that makes a partition worth its while.
    """
    hints: dict[str, Any] = {"x-bigquery-table-description": spec.description}
    if isinstance(spec, ListSpec):
        return {**hints, "x-bigquery-cluster-columns": [spec.parent_column]}
    names = [column.name for column in spec.columns]
    instant = next((name for name in ("created_at", "updated_at") if name in names), None)
    if instant is not None:
        hints["x-bigquery-partition"] = {instant: "TIMESTAMP_TRUNC({column_name}, MONTH)"}
    clustered = [name for name in CLUSTERED if name in names]
    return {**hints, "x-bigquery-cluster-columns": clustered} if clustered else hints


def _ship_arrow(table: pa.Table, spec: TableSpec | ListSpec, hints: Any) -> Iterator[Any]:  # noqa: ARG001
    yield dlt.mark.with_hints(table, hints, create_table_variant=True)


class _JsonlShip:
    """Gives dlt files instead of tables.

    dlt takes a file for the table that its resource names, not for one that comes with hints. Hence the resource is
    told to take a table's name from the item, and each file comes with the name as its item.
    """

    def __init__(self, folder: Path, *, compress: bool) -> None:
        self._folder = folder
        self._compress = compress
        self._files = 0

    def __call__(self, table: pa.Table, spec: TableSpec | ListSpec, hints: Any) -> Iterator[Any]:
        if not len(table):  # an empty file would pass for a compressed one; the hints alone make the table
            yield DataItemWithMeta(HintsMeta(hints, create_table_variant=True), dlt.mark.materialize_table_schema())
            return
        self._files += 1
        path = self._folder / f"{self._files}.jsonl{'.gz' if self._compress else ''}"
        write_jsonl(table, spec.columns, path, compress=self._compress)
        metrics = DataWriterMetrics(str(path), len(table), path.stat().st_size, 0, 0)
        if self._files == 1:
            yield DataItemWithMeta(HintsMeta(dlt.mark.make_hints(table_name=str), create_table_variant=False), [])
        yield DataItemWithMeta(HintsMeta(hints, create_table_variant=True), [])
        yield DataItemWithMeta(ImportFileMeta(str(path), metrics, "jsonl"), spec.name)
