-- Each ticket with a place in time has spans, its last one is the ticket as it is loaded, and no other ticket has any.
with last_spans as (

    select
        *,
        row_number() over (partition by ticket_id order by span_number desc) as nth_from_last
    from {{ ref('int_cogny__ticket_spans') }}

), tickets as (

    select *
    from {{ ref('stg_cogny__tickets') }}
    where coalesce(updated_at, created_at) is not null

)

select tickets.ticket_id, last_spans.ticket_id as ticket_id_of_span
from tickets
left join last_spans on last_spans.ticket_id = tickets.ticket_id and last_spans.nth_from_last = 1
where
    last_spans.ticket_id is null
    or not last_spans.is_seen
    or tickets.status is distinct from last_spans.status
    or tickets.priority is distinct from last_spans.priority
    or tickets.category is distinct from last_spans.category
    or tickets.assignee is distinct from last_spans.assignee
