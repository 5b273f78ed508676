-- One row for each version of a report, in the order of `began_at`; the last one is the report as it is loaded. As with
-- tickets, versions that are not older than it do not count.
with seen as (

    select report_id, max(updated_at) as last_seen_at
    from {{ ref('stg_cogny__report_history') }}
    group by report_id

), present as (

    select
        reports.report_id,
        coalesce(reports.updated_at, seen.last_seen_at, reports.created_at) as began_at,
        reports.status,
        reports.completed_at
    from {{ ref('stg_cogny__reports') }} as reports
    left join seen on seen.report_id = reports.report_id

)

select history.report_id, history.updated_at as began_at, history.status, history.completed_at
from {{ ref('stg_cogny__report_history') }} as history
inner join present on present.report_id = history.report_id
where history.updated_at < present.began_at
union all
select * from present
where began_at is not null
