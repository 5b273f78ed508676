-- One row for each day between two watermarks of the tickets. What changed before a watermark was seen by the pass that set
-- it; of what changed several times between two watermarks, the last version alone was seen.
with passes as (

    select watermark, max(lasted_micros) as lasted_micros
    from {{ ref('stg_cogny__sync_runs') }}
    where resource = 'tickets' and is_complete and watermark is not null
    group by watermark

), gaps as (

    select
        watermark,
        lasted_micros,
        lag(watermark) over (order by watermark) as watermark_before,
        lead(watermark) over (order by watermark) as next_watermark
    from passes

), bounded as (

    select
        gaps.*,
        {{ local_date('gaps.watermark') }} as first_day,
        coalesce({{ local_date('gaps.next_watermark') }}, as_of.tickets_day) as last_day
    from gaps
    cross join {{ ref('int_cogny__as_of') }} as as_of

)

select date_day, watermark, watermark_before, next_watermark, lasted_micros
from {{ each_day('bounded', 'first_day', 'last_day') }}
