"""The models of reports, warehouses and syncs, and datasets that lack tables."""

from __future__ import annotations

import yaml

from cogny_source.models.build import render_models
from cogny_source.models.checks import run_tests
from cogny_source.models.project import FOLDER
from tests.support.model_cases import LIVES, RECOMMENDATIONS, REPORTS, report
from tests.support.models import Row, at, built, join, open_loaded, sync_run, ticket

NO_ROWS: dict[str, list[Row]] = {
    name: []
    for name in ("tickets", "tickets_history", "tickets__action_items", "reports", "reports_history", "warehouses")
}


def test_how_reports_end() -> None:
    """The time in the queue is told where its end was seen; what ended before it began tells none."""
    with built(REPORTS) as models:
        rows = {row.pop("report_id"): row for row in models.read("cogny_report_metrics")}
        assert models.broken() == []
    seconds = ("queued_seconds", "processing_seconds", "total_seconds", "late_seconds", "waiting_seconds")
    assert {name: tuple(row[column] for column in seconds) for name, row in rows.items()} == {
        "done": (300.0, 900.0, 1200.0, 300.0, None),
        "failed": (None, None, 1800.0, None, None),
        "odd": (None, None, None, None, None),
        "waiting": (None, None, None, None, 3600.0),
    }
    assert (rows["done"]["key_findings"], rows["done"]["total_insights"], rows["failed"]["key_findings"]) == (2, 3, 0)
    assert [row["outcome"] for row in rows.values()].count(None) == 1


def test_each_warehouse_has_a_row() -> None:
    """One that is listed, one that a deleted ticket names, and none."""
    case = join(
        {"warehouses": [{"id": "wh_1", "name": "main", "type": "bigquery", "status": "connected"}]},
        ticket("a", "2026-10-01", ("2026-10-01", "open"), ("2026-10-02", "completed")),
        ticket("b", "2026-10-01", ("2026-10-01", "in_progress"), warehouse_id=None),
        ticket("c", "2026-10-01", warehouse_id="wh_2", deleted_at=at("2026-10-03")),
        report("r", "failed", warehouse_id=None),
        sync_run("tickets", "2026-10-05"),
    )
    with built(case) as models:
        rows = models.rows(
            "SELECT warehouse_id, name, is_listed, tickets, open_tickets, tickets_in_progress, completed_tickets,"
            " closed_in_28_days, reports, failed_reports FROM cogny_warehouses ORDER BY 1"
        )
        assert models.broken() == []
    assert rows == [
        ("wh_1", "main", True, 1, 0, 0, 1, 1, 0, 0),
        ("wh_2", None, False, 0, 0, 0, 0, 0, 0, 0),
        (None, None, False, 1, 1, 1, 0, 0, 1, 1),
    ]


def test_freshness_is_told_between_complete_runs() -> None:
    """A failed run, a window and a reset bring nothing up to date."""
    case = join(
        sync_run("tickets", "2026-10-01 00:00"),
        sync_run("tickets", "2026-10-01 12:00", status="failed", unexplained_rows=-3),
        sync_run("tickets", "2026-10-01 18:00", mode="window"),
        sync_run("tickets", "2026-10-02 06:00"),
        sync_run("tickets", "2026-10-02 08:00"),
    )
    with built(case) as models:
        [row] = models.read("cogny_sync_freshness")
        days = models.rows(
            "SELECT date_day, runs, done_runs, failed_runs, requests, lasted_seconds, most_unexplained_rows"
            " FROM cogny_sync_runs_daily ORDER BY 1"
        )
    assert (row["complete_runs"], row["fresh_as_of"]) == (3, at("2026-10-02 08:00"))
    assert (row["stalest_seconds"], row["late_seconds"]) == (30 * 3600 + 59, 6 * 3600 + 59)
    assert row["served_seconds"] == 32 * 3600
    assert [day[1:] for day in days] == [(3, 2, 1, 6, 177.0, 3), (2, 2, 0, 4, 118.0, None)]


def test_a_table_that_is_not_loaded_has_no_rows() -> None:
    """Nothing but tickets, as after `--no-history --resources tickets` by a plain pipeline."""
    with built({"tickets": ticket("a", "2026-10-01", ("2026-10-03", "completed"))["tickets"]}) as models:
        [row] = models.read("cogny_ticket_metrics")
        assert (row["outcome"], row["unseen_seconds"], row["as_of"]) == ("completed", 2 * 86_400.0, at("2026-10-03"))
        assert models.broken() == []


def test_an_empty_account_has_models_without_rows() -> None:
    """With empty tables, and with none at all."""
    for tables in (join(NO_ROWS, sync_run("tickets", "2026-10-05")), {}):
        with built(tables) as models:
            assert models.read("cogny_ticket_metrics") == []
            assert models.read("cogny_ticket_flow_weekly") == []
            assert len(models.read("int_cogny__as_of")) == 1
            assert models.broken() == []


def test_each_measure_is_a_query() -> None:
    """The metrics go by columns that are there."""
    written = yaml.safe_load((FOLDER / "models" / "marts" / "_metrics.yml").read_text("utf-8"))
    with built(LIVES) as models:
        measures = [(it, measure) for it in written["semantic_models"] for measure in it["measures"]]
        totals = {}
        for semantic_model, measure in measures:
            model = semantic_model["model"].removeprefix("ref('").removesuffix("')")
            day = measure.get("agg_time_dimension", semantic_model["defaults"]["agg_time_dimension"])
            columns = ", ".join(dimension["name"] for dimension in semantic_model["dimensions"])
            models.rows(f"SELECT {columns} FROM {model} LIMIT 0")
            days = f"SELECT {day}, {measure['agg']}({measure['expr']}) AS value FROM {model} GROUP BY 1"
            [(totals[measure["name"]],)] = models.rows(f"SELECT sum(value) FROM ({days})")
    named = {it["type_params"]["measure"] for it in written["metrics"] if it["type"] == "simple"}
    assert named <= totals.keys()
    assert (totals["tickets_closed"], totals["tickets_completed"], totals["times_reopened"]) == (7, 6, 1)


def test_models_are_described_column_by_column() -> None:
    """No more and no fewer columns than there are, each as a comment too."""
    with built({}) as models:
        comments = models.rows("SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
        with open_loaded({}) as store:
            described = [
                (model.name, column, text)
                for model in render_models(store, {})
                for column, text in model.columns.items()
            ]
    assert sorted(comments) == sorted(described)


def test_a_lost_and_a_doubled_row_break_a_test() -> None:
    """So does a value that the API does not document, as a warning."""
    run = sync_run("tickets", "2026-10-05", live_rows=2, unexplained_rows=0)
    lost = join(ticket("a", "2026-10-01", ("2026-10-02", "postponed")), run)
    doubled = join(ticket("a", "2026-10-01"), ticket("a", "2026-10-01"), run)
    for tables, expected in (
        (lost, {"accepted_values_stg_cogny__tickets_status": "warn", "tables_hold_what_the_sync_counted": "error"}),
        (doubled, {"unique_stg_cogny__tickets_ticket_id": "error"}),
    ):
        with built(tables) as models:
            levels = {outcome.test.name: outcome.level for outcome in run_tests(models.store) if outcome.count}
            assert expected.items() <= levels.items()


def test_recommendations_lead_to_tickets_that_name_their_report() -> None:
    """By the title within the report; a title alone, or one that two recommendations share, is no link."""
    with built(RECOMMENDATIONS) as models:
        links = models.rows(
            "SELECT ticket_id, report_id, is_loaded, recommendation_position"
            " FROM cogny_recommendation_tickets ORDER BY 1"
        )
        rows = models.rows(
            "SELECT position, action_items, tickets_of_report, tickets, ticket_id, seconds_to_ticket,"
            " is_good_when_rising FROM cogny_recommendations ORDER BY 1"
        )
        counts = models.rows("SELECT report_id, recommendations FROM cogny_report_metrics ORDER BY 1")
        assert models.broken() == []
    assert links == [
        ("by data", "rpt_1", True, 0),
        ("by field", "rpt_1", True, None),
        ("of another", "rpt_9", False, None),
    ]
    assert rows == [
        (0, 1, 2, 1, "by data", 86_400.0, False),
        (1, 0, 2, 0, None, None, None),
        (2, 0, 2, 0, None, None, None),
    ]
    assert counts == [("rpt_1", 3), ("rpt_2", None)]
