"""How the tables of BigQuery are partitioned and clustered."""

from __future__ import annotations

import pytest

from cogny_source.destinations.bigquery.hints import make_table_hints
from cogny_source.schema import REPORTS, RESOURCE_TABLES, TICKETS, WAREHOUSES
from tests.support.papers import CLAIMS, NOTES, PAPERS, SECTIONS, TAGS


def test_tables_are_laid_out_by_what_they_have() -> None:
    """Months of creation or change, and clusters by what is asked for."""
    month = "TIMESTAMP_TRUNC({column_name}, MONTH)"
    laid = {spec.name: make_table_hints(spec) for spec in (TICKETS, REPORTS, WAREHOUSES, TICKETS.children[0])}
    assert laid["tickets"] == {
        "x-bigquery-table-description": TICKETS.description,
        "x-bigquery-partition": {"created_at": month},
        "x-bigquery-cluster-columns": ["warehouse_id", "status", "priority"],
    }
    assert laid["reports"]["x-bigquery-cluster-columns"] == ["warehouse_id", "status"]
    assert laid["warehouses"]["x-bigquery-cluster-columns"] == ["status"]
    assert laid["tickets__action_items"]["x-bigquery-cluster-columns"] == ["ticket_id"]
    assert TICKETS.versions is not None
    assert make_table_hints(TICKETS.versions)["x-bigquery-partition"] == {"updated_at": month}


@pytest.fixture
def _papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Papers are a resource."""
    monkeypatch.setitem(RESOURCE_TABLES, PAPERS.name, PAPERS)


@pytest.mark.usefixtures("_papers")
def test_bigquery_clusters_each_child_table_by_the_key_that_it_is_replaced_by() -> None:
    """At every depth that is the paper's."""
    hints = [make_table_hints(child)["x-bigquery-cluster-columns"] for child in (SECTIONS, CLAIMS, TAGS, NOTES)]
    assert hints == [["paper_id"]] * 4
