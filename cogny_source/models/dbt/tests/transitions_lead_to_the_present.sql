-- Each ticket's transitions begin with its creation, follow on each other, and end in the status that it has.
with ordered as (

    select
        *,
        lag(to_status) over (partition by ticket_id order by transition_number) as to_status_before,
        lead(transition_number) over (partition by ticket_id order by transition_number) is null as is_last
    from {{ ref('cogny_ticket_transitions') }}

)

select ordered.ticket_id, ordered.transition_number, ordered.from_status, ordered.to_status
from ordered
inner join {{ ref('stg_cogny__tickets') }} as tickets on tickets.ticket_id = ordered.ticket_id
where
    (ordered.transition_number = 1) <> (ordered.kind = 'created')
    or (ordered.transition_number > 1 and ordered.from_status is distinct from ordered.to_status_before)
    or (ordered.is_last and ordered.to_status is distinct from tickets.status)
    or ordered.happened_after > ordered.happened_at
