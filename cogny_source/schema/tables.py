"""The data dictionary: every table with its columns, types, keys and their meaning, the same on every destination.

Types are dlt's: `text`, `double`, `bigint`, `bool`, `json`, and `timestamp` (UTC, to the microsecond).
"""

from __future__ import annotations

from cogny_source.schema.spec import DELETED_AT, EXTRA, LOAD_ID, ChildSpec, Column, ColumnType, TableSpec


def _field(path: str, column_type: ColumnType, description: str) -> Column:
    parts = tuple(path.split("."))
    return Column("__".join(parts), column_type, description, path=parts)


def _key(description: str) -> Column:
    return Column("id", "text", description, path=("id",), nullable=False)


OURS = (DELETED_AT, EXTRA, LOAD_ID)
# A text in its place is kept in `extra`.
_IMPACT = (
    _field("estimated_impact.metric", "text", "The metric of the impact."),
    _field("estimated_impact.current_value", "double", "The metric today, in its own unit."),
    _field("estimated_impact.projected_value", "double", "The metric once it is done, in its own unit."),
    _field("estimated_impact.increase_percentage", "double", "Projected increase, in per cent."),
    _field("estimated_impact.confidence", "double", "Confidence in the projection."),
)

TICKETS = TableSpec(
    "tickets",
    "A growth ticket: one finding, its expected impact and what to do about it.",
    (
        _key("Key, `tkt_…`."),
        _field("warehouse_id", "text", "The warehouse it was found in; `warehouses.id`."),
        _field("title", "text", "One line."),
        _field("description", "text", "The finding in full."),
        _field("category", "text", "Such as `conversion_optimization`, `retention`, `data_quality`."),
        _field("priority", "text", "`critical`, `high`, `medium` or `low`."),
        _field("status", "text", "`open`, `in_progress`, `completed` or `dismissed`."),
        _field("assignee", "text", "Who works on it."),
        _field("effort", "text", "Expected effort."),
        _field("notes", "text", "Free notes."),
        *_IMPACT,
        _field("supporting_data", "json", "Free-form evidence."),
        _field("url", "text", "The ticket in Cogny."),
        _field("created_at", "timestamp", "When it was created; never changes."),
        _field("updated_at", "timestamp", "When it last changed."),
        *OURS,
    ),
    children=(
        ChildSpec("tickets__action_items", "One step of a ticket's action items.", ("ticket_id",), ("action_items",)),
    ),
    history=(
        "status",
        "priority",
        "category",
        "assignee",
        "effort",
        "estimated_impact__metric",
        "estimated_impact__current_value",
        "estimated_impact__projected_value",
        "estimated_impact__increase_percentage",
        "estimated_impact__confidence",
    ),
)

REPORTS = TableSpec(
    "reports",
    "A report requested with a prompt, and its progress.",
    (
        _key("Key, `rpt_…`."),
        _field("warehouse_id", "text", "The warehouse it queries; `warehouses.id`."),
        _field("status", "text", "`queued`, `processing`, `completed`, `failed` or `cancelled`."),
        _field("prompt", "text", "The question, up to 2000 characters."),
        _field("summary.total_queries", "bigint", "Queries run."),
        _field("summary.total_insights", "bigint", "Insights found."),
        _field("metadata", "json", "Free-form metadata of the caller."),
        _field("url", "text", "The report in Cogny."),
        _field("stream_url", "text", "Where to follow its progress."),
        _field("created_at", "timestamp", "When it was requested; never changes."),
        _field("updated_at", "timestamp", "When it last changed."),
        _field("completed_at", "timestamp", "When it finished."),
        _field("estimated_completion", "timestamp", "When it is expected to finish."),
        *OURS,
    ),
    children=(
        ChildSpec(
            "reports__summary__key_findings",
            "One key finding of a report's summary.",
            ("report_id",),
            ("summary", "key_findings"),
        ),
    ),
    history=("status", "completed_at"),
)

WAREHOUSES = TableSpec(
    "warehouses",
    "A connected data warehouse.",
    (
        _key("Key, `wh_…`."),
        _field("name", "text", "Its name."),
        _field("type", "text", "Such as `bigquery`."),
        _field("status", "text", "State of the connection."),
        _field("created_at", "timestamp", "When it was connected, if the API says so."),
        _field("updated_at", "timestamp", "When it last changed, if the API says so."),
        *OURS,
    ),
)

REPORT_CONTENTS = TableSpec(
    "report_contents",
    "What was fetched of a completed report's content; it stays when the report is deleted, and where a later version"
    " cannot be fetched.",
    (
        Column("report_id", "text", "The report; `reports.id`.", path=("report_id",), nullable=False),
        Column("report_created_at", "timestamp", "When the report was requested; never changes."),
        Column(
            "report_updated_at",
            "timestamp",
            "The version of the content in these tables: `updated_at` of the report when it was fetched. Null if none"
            " was ever fetched.",
        ),
        Column("fetched_at", "timestamp", "When it was fetched, by the server's clock; null if it never was."),
        Column(
            "status",
            "text",
            "What became of the last request: `fetched`; `missing`, the API has no content; `too_large`, more than"
            " `max_answer_megabytes`; `failed`, it failed though the API answered others. Unless it is `fetched`, the"
            " rows here and in the child tables are those of an earlier version, if any.",
        ),
        Column("attempted_updated_at", "timestamp", "`updated_at` of the report at the last request."),
        Column("attempted_at", "timestamp", "When the last request was answered."),
        Column("attempts", "bigint", "Requests for that version that brought no content; 0 once it is fetched."),
        Column("error", "json", "Why the last request brought none: status, code and message; else null."),
        Column("total_queries", "bigint", "Queries run.", path=("metadata", "total_queries")),
        Column("total_insights", "bigint", "Insights found.", path=("metadata", "total_insights")),
        Column(
            "generation_time_seconds",
            "double",
            "How long it took, in seconds.",
            path=("metadata", "generation_time_seconds"),
        ),
        EXTRA,
        LOAD_ID,
    ),
    primary_key=("report_id",),
    children=(
        ChildSpec(
            "report_sections",
            "A section of a report.",
            ("report_id",),
            ("sections",),
            fields=(
                _field("title", "text", "Its heading."),
                _field("content", "text", "Its text."),
                _field("visualizations", "json", "Its charts, a list of objects."),
                _field("queries", "json", "The queries behind it, a list of objects."),
            ),
            children=(
                ChildSpec(
                    "report_insights",
                    "An insight of a section.",
                    ("report_id", "section_position"),
                    ("insights",),
                    fields=(
                        _field("type", "text", "Such as `trend`."),
                        _field("content", "text", "What was found."),
                        _field("confidence", "double", "Confidence in it."),
                        _field("data", "json", "Free-form evidence."),
                    ),
                ),
            ),
        ),
        ChildSpec(
            "report_recommendations",
            "A recommendation of a report.",
            ("report_id",),
            ("recommendations",),
            fields=(
                _field("priority", "text", "`critical`, `high`, `medium` or `low`."),
                _field("title", "text", "One line."),
                _field("description", "text", "The recommendation in full."),
                *_IMPACT,
                _field("effort", "text", "Expected effort."),
            ),
            children=(
                ChildSpec(
                    "report_recommendations__action_items",
                    "One step of a recommendation's action items.",
                    ("report_id", "recommendation_position"),
                    ("action_items",),
                ),
            ),
        ),
    ),
    dated_by="report_created_at",
)

SYNC_RUNS = TableSpec(
    "sync_runs",
    "One resource in one run of the sync.",
    (
        Column("run_id", "text", "The run; shared by its resources.", nullable=False),
        Column("resource", "text", "`tickets`, `reports`, `warehouses` or `report_contents`.", nullable=False),
        Column(
            "mode",
            "text",
            "`backfill`, `incremental`, `full` (all rows each time), `window`, `refresh`, `contents` or `reset`.",
        ),
        Column("started_at", "timestamp", "When the run began, by this machine's clock."),
        Column("finished_at", "timestamp", "When the resource was done, by this machine's clock."),
        Column("requests", "bigint", "Requests sent, retries included."),
        Column("retries", "bigint", "Retries."),
        Column("throttled", "bigint", "Answers with status 429."),
        Column("waited_seconds", "double", "Seconds waited for the rate limit and between retries."),
        Column("pages", "bigint", "Pages read."),
        Column("rows", "bigint", "Rows read, repeated ones included."),
        Column("total_count", "bigint", "The highest `total_count` of the API for one of its listings."),
        Column("api_rows", "bigint", "All rows that the API counts, from `start_date` on if one is set."),
        Column("live_rows", "bigint", "Rows of the table that are not marked deleted, from the same date on."),
        Column(
            "unexplained_rows",
            "bigint",
            "Rows that the API counts and the table lacks; negative: deletions not marked. For `report_contents`: the"
            " contents that are left to fetch.",
        ),
        Column("deleted_rows", "bigint", "Rows that the run's census marked deleted; null if it took none."),
        Column("differences", "bigint", "Rows that differed from the API when verified; null if none were verified."),
        Column("compared_rows", "bigint", "Unchanged rows that the scrub compared with the API."),
        Column("compared_since", "timestamp", "Every row was read or compared with the API at this time or later."),
        Column("corrections", "json", "Wrong rows that were corrected, by kind of error."),
        Column("updated_after_before", "timestamp", "The watermark when the run began."),
        Column("updated_after_after", "timestamp", "The watermark when it ended."),
        Column(
            "undeclared_fields",
            "json",
            "Fields kept in `extra`, with the number of rows that have each; beyond 100 fields, the most frequent ones"
            " and the number of the others.",
        ),
        Column("status", "text", "`done`, `failed`, `stopped` or `killed`."),
        Column("error", "text", "The error message of a run that is not `done`."),
        LOAD_ID,
    ),
    primary_key=("run_id", "resource"),
    dated_by="started_at",
)

RESOURCE_TABLES = {table.name: table for table in (TICKETS, REPORTS, WAREHOUSES, REPORT_CONTENTS)}
