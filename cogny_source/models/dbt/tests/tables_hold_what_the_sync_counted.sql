-- The tables hold at least the rows that the last complete run counted, and the run could explain the API's count. They may
-- hold more: a run counts from the dataset's start date on, and a window may have brought older rows.
with last_runs as (

    select
        resource,
        live_rows,
        unexplained_rows,
        row_number() over (partition by resource order by finished_at desc, run_id desc) as nth_from_last,
        max(case when status <> 'done' then finished_at end) over (partition by resource) as last_incomplete_at,
        finished_at
    from {{ ref('stg_cogny__sync_runs') }}

), counted as (

    select 'tickets' as resource, count(*) as present_rows from {{ ref('stg_cogny__tickets') }} where not is_deleted
    union all
    select 'reports', count(*) from {{ ref('stg_cogny__reports') }} where not is_deleted
    union all
    select 'warehouses', count(*) from {{ ref('stg_cogny__warehouses') }} where not is_deleted

)

select last_runs.resource, last_runs.live_rows, counted.present_rows, last_runs.unexplained_rows
from last_runs
inner join counted on counted.resource = last_runs.resource
where
    last_runs.nth_from_last = 1
    and (last_runs.last_incomplete_at is null or last_runs.last_incomplete_at < last_runs.finished_at)
    and (last_runs.live_rows > counted.present_rows or coalesce(last_runs.unexplained_rows, 0) <> 0)
