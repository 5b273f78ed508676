-- One row: the instant up to which each table is known to be whole. Ages and open spans are told as of it, never as of the
-- clock of whoever builds, so that tables that stopped being synced tell the same at each build.
with watermarks as (

    select
        max(case when resource = 'tickets' then watermark end) as tickets_watermark,
        max(case when resource = 'reports' then watermark end) as reports_watermark
    from {{ ref('stg_cogny__sync_runs') }}
    where is_complete

), newest_tickets as (

    select max(coalesce(updated_at, created_at)) as changed_at from {{ ref('stg_cogny__tickets') }}

), newest_reports as (

    select max(coalesce(updated_at, created_at)) as changed_at from {{ ref('stg_cogny__reports') }}

), instants as (

    -- Before the first complete sync, and without a record of runs, the newest change is all that is known.
    select
        coalesce(watermarks.tickets_watermark, newest_tickets.changed_at) as tickets_as_of,
        coalesce(watermarks.reports_watermark, newest_reports.changed_at) as reports_as_of
    from watermarks
    cross join newest_tickets
    cross join newest_reports

)

select
    tickets_as_of,
    {{ local_date('tickets_as_of') }} as tickets_day,
    reports_as_of,
    {{ local_date('reports_as_of') }} as reports_day,
    '{{ var("cogny_timezone") }}' as time_zone,
    '{{ var("cogny_week_start") }}' as week_start,
    {{ var('cogny_freshness_hours') }} as freshness_hours
from instants
