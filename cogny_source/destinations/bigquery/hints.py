"""How tables lie in BigQuery: partitions, clusters and descriptions, as dlt's hints."""

from __future__ import annotations

from typing import Any

from cogny_source.schema import ChildSpec, TableSpec

CLUSTERED = ("warehouse_id", "status", "priority")


def lay_out(spec: TableSpec | ChildSpec) -> dict[str, Any]:
    """The hints that lay a table out in BigQuery: description, partitions by month, clusters.

    By month, as a statement may touch 4,000 partitions at most: as days these are eleven years, and one census may mend
    rows of more; and a day of tickets is far below the gigabyte that makes a partition worth its while.
    """
    hints: dict[str, Any] = {"x-bigquery-table-description": spec.description}
    if spec.is_child:
        return {**hints, "x-bigquery-cluster-columns": [*spec.merge_key]}
    names = [column.name for column in spec.columns]
    instant = next((name for name in ("created_at", "updated_at") if name in names), None)
    if instant is not None:
        hints["x-bigquery-partition"] = {instant: "TIMESTAMP_TRUNC({column_name}, MONTH)"}
    clustered = [name for name in CLUSTERED if name in names]
    return {**hints, "x-bigquery-cluster-columns": clustered} if clustered else hints
