-- The spans of a ticket begin with its creation or its first version, lie end to end, and end with its deletion or not at all.
with spans as (

    select
        spans.ticket_id,
        spans.span_number,
        spans.started_at,
        spans.ended_at,
        lag(spans.ended_at) over (partition by spans.ticket_id order by spans.span_number) as ended_before,
        lead(spans.span_number) over (partition by spans.ticket_id order by spans.span_number) is null as is_last,
        tickets.created_at,
        tickets.is_deleted
    from {{ ref('int_cogny__ticket_spans') }} as spans
    inner join {{ ref('stg_cogny__tickets') }} as tickets on tickets.ticket_id = spans.ticket_id

)

select *
from spans
where
    (span_number = 1 and started_at > created_at)
    or (span_number > 1 and started_at is distinct from ended_before)
    or (is_last and (ended_at is not null) <> is_deleted)
    or ended_at < started_at
