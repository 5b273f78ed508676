-- One row a report: how it ended, how long it waited and ran, what it found.
with versions as (

    select
        report_id,
        min(case when status = 'processing' then began_at end) as processing_seen_at,
        min(case when status in ({{ finished_statuses() }}) then began_at end) as finished_seen_at
    from {{ ref('int_cogny__report_versions') }}
    group by report_id

), findings as (

    select report_id, count(*) as key_findings
    from {{ ref('stg_cogny__report_key_findings') }}
    group by report_id

), contents as (

    select report_id
    from {{ ref('stg_cogny__report_contents') }}
    where fetched_at is not null

), recommended as (

    select report_id, count(*) as recommendations
    from {{ ref('stg_cogny__recommendations') }}
    group by report_id

), reports as (

    select
        reports.*,
        versions.processing_seen_at,
        case when reports.is_finished then coalesce(reports.completed_at, versions.finished_seen_at) end as finished_at
    from {{ ref('stg_cogny__reports') }} as reports
    left join versions on versions.report_id = reports.report_id

)

select
    reports.report_id,
    reports.warehouse_id,
    reports.status,
    case when reports.is_finished then reports.status end as outcome,
    reports.is_deleted,
    reports.created_at,
    {{ local_date('reports.created_at') }} as created_day,
    reports.processing_seen_at,
    reports.finished_at,
    reports.estimated_completion,
    -- A report that was finished before it was asked for tells no duration.
    case when reports.processing_seen_at >= reports.created_at
        then {{ seconds_between('reports.created_at', 'reports.processing_seen_at') }} end as queued_seconds,
    case when reports.finished_at >= reports.processing_seen_at
        then {{ seconds_between('reports.processing_seen_at', 'reports.finished_at') }} end as processing_seconds,
    case when reports.finished_at >= reports.created_at
        then {{ seconds_between('reports.created_at', 'reports.finished_at') }} end as total_seconds,
    {{ seconds_between('reports.estimated_completion', 'reports.completed_at') }} as late_seconds,
    case when not reports.is_finished and not reports.is_deleted
        then {{ seconds_between('reports.created_at', 'greatest(as_of.reports_as_of, reports.created_at)') }} end as waiting_seconds,
    coalesce(findings.key_findings, 0) as key_findings,
    reports.total_queries,
    reports.total_insights,
    case when contents.report_id is not null then coalesce(recommended.recommendations, 0) end as recommendations,
    as_of.reports_as_of as as_of
from reports
cross join {{ ref('int_cogny__as_of') }} as as_of
left join findings on findings.report_id = reports.report_id
left join contents on contents.report_id = reports.report_id
left join recommended on recommended.report_id = reports.report_id
