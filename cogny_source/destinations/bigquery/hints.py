"""Partitions, clusters and descriptions of tables in BigQuery, as dlt hints."""

from __future__ import annotations

from typing import Any

from cogny_source.schema import ChildSpec, TableSpec

CLUSTERED = ("warehouse_id", "status", "priority")


def make_table_hints(spec: TableSpec | ChildSpec) -> dict[str, Any]:
    """The dlt hints of a table: description, partitions by month, clusters.

    Partitions are months because a statement may modify at most 4,000 of them. 4,000 days are eleven years, and one
    census may correct rows of a longer time. A day of tickets is also far below the gigabyte from which a partition
    pays.
    """
    hints: dict[str, Any] = {"x-bigquery-table-description": spec.description}
    if spec.is_child:
        return {**hints, "x-bigquery-cluster-columns": [*spec.merge_key]}
    names = [column.name for column in spec.columns]
    instant = next((name for name in ("created_at", "updated_at", "report_created_at") if name in names), None)
    if instant is not None:
        hints["x-bigquery-partition"] = {instant: "TIMESTAMP_TRUNC({column_name}, MONTH)"}
    clustered = [name for name in CLUSTERED if name in names]
    return {**hints, "x-bigquery-cluster-columns": clustered} if clustered else hints
