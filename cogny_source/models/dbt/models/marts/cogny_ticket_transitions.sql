-- One row for each change of a ticket's status that the history shows; its creation is the first.
with stays as (

    select *, {{ local_date('started_at') }} as date_day
    from {{ ref('int_cogny__ticket_stays') }}

), bounded as (

    -- The last watermark before a change: there the ticket still was as the version before says. What changed while a pass
    -- read was not seen as of that pass's own watermark.
    select
        stays.ticket_id,
        stays.stay_number,
        max(
            case
                when {{ micros_between('coverage.watermark', 'stays.started_at') }} >= coalesce(coverage.lasted_micros, 0)
                then coverage.watermark
                else coverage.watermark_before
            end
        ) as known_until
    from stays
    inner join {{ ref('int_cogny__sync_coverage') }} as coverage on coverage.date_day = stays.date_day
    where
        stays.was_seen
        and coverage.watermark < stays.started_at
        and (coverage.next_watermark is null or stays.started_at <= coverage.next_watermark)
    group by stays.ticket_id, stays.stay_number

), numbered as (

    select
        *,
        lag(started_at) over (partition by ticket_id order by stay_number) as previous_started_at
    from stays

)

select
    stays.ticket_id,
    stays.stay_number as transition_number,
    stays.warehouse_id,
    stays.category,
    stays.priority,
    case
        when stays.stay_number = 1 then 'created'
        when not stays.was_closed and stays.is_closed then 'closed'
        when stays.was_closed and not stays.is_closed then 'reopened'
        else 'moved'
    end as kind,
    stays.status_before as from_status,
    stays.status as to_status,
    stays.started_at as happened_at,
    stays.date_day,
    greatest(coalesce(bounded.known_until, stays.previous_started_at), stays.previous_started_at) as happened_after,
    stays.is_seen and coalesce(stays.was_seen, true) as is_seen,
    {{ seconds_between('stays.previous_started_at', 'stays.started_at') }} as seconds_in_from_status
from numbered as stays
left join bounded on bounded.ticket_id = stays.ticket_id and bounded.stay_number = stays.stay_number
