-- One row for each stay of a ticket in a status. It begins with the span in which the status changes, and ends where the next
-- stay begins, with the ticket's deletion, or not at all.
with marked as (

    select
        *,
        max(case when ends_with_deletion then ended_at end) over (partition by ticket_id) as life_ended_at
    from {{ ref('int_cogny__ticket_spans') }}

), begun as (

    select
        *,
        row_number() over (partition by ticket_id order by span_number) as stay_number,
        lead(started_at) over (partition by ticket_id order by span_number) as next_started_at
    from marked
    where span_number = 1 or status is distinct from status_before or is_seen <> was_seen

)

select
    begun.ticket_id,
    begun.stay_number,
    begun.warehouse_id,
    begun.status,
    begun.priority,
    begun.category,
    begun.is_seen,
    begun.is_closed,
    begun.started_at,
    coalesce(begun.next_started_at, begun.life_ended_at) as ended_at,
    begun.next_started_at is null and begun.life_ended_at is not null as ends_with_deletion,
    begun.was_seen,
    begun.status_before,
    begun.was_closed,
    {{ micros_between('begun.started_at', 'coalesce(begun.next_started_at, begun.life_ended_at, greatest(as_of.tickets_as_of, begun.started_at))') }} as lasted_micros
from begun
cross join {{ ref('int_cogny__as_of') }} as as_of
