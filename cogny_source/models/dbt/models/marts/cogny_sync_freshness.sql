-- One row a resource: when its table was brought up to date last, and how stale it was at most before each complete run.
-- A table is as fresh as the start of the last complete run, until the next one has finished.
with runs as (

    select
        resource,
        run_id,
        started_at,
        finished_at,
        watermark,
        unexplained_rows,
        differences,
        lead(finished_at) over (partition by resource order by finished_at, run_id) as next_finished_at,
        row_number() over (partition by resource order by finished_at desc, run_id desc) as nth_from_last
    from {{ ref('stg_cogny__sync_runs') }}
    where is_complete and started_at is not null and finished_at is not null

), staleness as (

    select
        *,
        {{ micros_between('started_at', 'next_finished_at') }} as stalest,
        {{ micros_between('finished_at', 'next_finished_at') }} as served,
        -- The part of the time up to the next run in which the table was later than it may be.
        greatest(
            0,
            least(
                {{ micros_between('finished_at', 'next_finished_at') }},
                {{ micros_between('started_at', 'next_finished_at') }} - {{ var('cogny_freshness_hours') }} * 3600000000
            )
        ) as late
    from runs

)

select
    resource,
    count(*) as complete_runs,
    max(case when nth_from_last = 1 then started_at end) as fresh_as_of,
    max(case when nth_from_last = 1 then finished_at end) as last_finished_at,
    max(watermark) as watermark,
    max(stalest) / 1000000.0 as stalest_seconds,
    {{ total('served') }} / 1000000.0 as served_seconds,
    {{ total('case when next_finished_at is not null then late end') }} / 1000000.0 as late_seconds,
    {{ var('cogny_freshness_hours') }} * 3600 as allowed_seconds,
    max(case when nth_from_last = 1 then unexplained_rows end) as unexplained_rows,
    max(case when nth_from_last = 1 then differences end) as differences
from staleness
group by resource
