-- One row for each day and group on which the backlog changes, and by how much. A span counts on the days at whose end the
-- ticket is in it: from the local day on that it starts to the day before the one that it ends. A ticket has a few rows
-- here however long it stays open; nothing is multiplied by days.
with spans as (

    select
        spans.warehouse_id,
        spans.category,
        spans.priority,
        case when spans.is_seen then spans.status else 'unseen' end as status,
        -- What is stamped later than what is known, in a pass over midnight or by a wrong clock, counts on the last day.
        least({{ local_date('spans.started_at') }}, as_of.tickets_day) as from_day,
        case when spans.ended_at is not null then least({{ local_date('spans.ended_at') }}, as_of.tickets_day) end as until_day,
        least({{ local_date('spans.life_started_at') }}, as_of.tickets_day) as created_day
    from {{ ref('int_cogny__ticket_spans') }} as spans
    cross join {{ ref('int_cogny__as_of') }} as as_of
    where not spans.is_closed

), ages as (

    select 0 as days
    union all
    select 7
    union all
    select 30
    union all
    select 90

), counted as (

    select
        spans.*,
        ages.days,
        greatest(spans.from_day, {{ add_days('spans.created_day', 'ages.days') }}) as counts_from
    from spans
    cross join ages

), deltas as (

    select warehouse_id, category, priority, status, days, created_day, counts_from as date_day, 1 as delta
    from counted
    where until_day is null or counts_from < until_day
    union all
    select warehouse_id, category, priority, status, days, created_day, until_day, -1
    from counted
    where counts_from < until_day

)

select
    date_day,
    warehouse_id,
    category,
    priority,
    status,
    {{ total('case when days = 0 then delta else 0 end') }} as open_tickets,
    {{ total('case when days = 7 then delta else 0 end') }} as open_for_7_days,
    {{ total('case when days = 30 then delta else 0 end') }} as open_for_30_days,
    {{ total('case when days = 90 then delta else 0 end') }} as open_for_90_days,
    {{ total('case when days = 0 then delta * ' ~ day_number('created_day') ~ ' else 0 end') }} as created_day_numbers
from deltas
group by date_day, warehouse_id, category, priority, status
