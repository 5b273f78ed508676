-- One row for each day and group in which tickets came or went. For each group, and all groups together,
--     open at a day's end = open at the end of the day before + opened + reopened + moved_in
--                           - completed - dismissed - deleted - moved_out
with spans as (

    select *, coalesce(was_closed, false) as came_closed, coalesce(not was_closed, false) as came_open
    from {{ ref('int_cogny__ticket_spans') }}

), events as (

    select
        started_at as happened_at,
        warehouse_id,
        category,
        priority,
        case when span_number = 1 then 'opened' when came_closed then 'reopened' else 'moved_in' end as kind
    from spans
    where
        span_number = 1
        or (not is_closed and came_closed)
        or (
            not is_closed and came_open
            and (priority is distinct from priority_before or category is distinct from category_before)
        )
    union all
    -- What leaves a group leaves it as what it was before.
    select
        started_at,
        warehouse_id,
        case when span_number = 1 then category else category_before end,
        case when span_number = 1 then priority else priority_before end,
        case when is_closed then status else 'moved_out' end
    from spans
    where
        (is_closed and not came_closed)
        or (
            not is_closed and came_open
            and (priority is distinct from priority_before or category is distinct from category_before)
        )
    union all
    select ended_at, warehouse_id, category, priority, 'deleted'
    from spans
    where ends_with_deletion and not is_closed

), dated as (

    -- What is stamped later than what is known counts on the last day, as in the backlog.
    select
        least({{ local_date('events.happened_at') }}, as_of.tickets_day) as date_day,
        events.warehouse_id,
        events.category,
        events.priority,
        events.kind
    from events
    cross join {{ ref('int_cogny__as_of') }} as as_of

)

select
    date_day,
    {{ week_of('date_day') }} as date_week,
    warehouse_id,
    category,
    priority,
    {{ count_where("kind = 'opened'") }} as opened,
    {{ count_where("kind = 'reopened'") }} as reopened,
    {{ count_where("kind = 'moved_in'") }} as moved_in,
    {{ count_where("kind = 'completed'") }} as completed,
    {{ count_where("kind = 'dismissed'") }} as dismissed,
    {{ count_where("kind = 'deleted'") }} as deleted,
    {{ count_where("kind = 'moved_out'") }} as moved_out,
    {{ total("case when kind in ('opened', 'reopened', 'moved_in') then 1 else -1 end") }} as change
from dated
group by date_day, warehouse_id, category, priority
