-- One row for each version of a ticket, in the order of `began_at`; the last one is the ticket as it is loaded.
-- Where its last change cannot be read, it takes the place of the last version that was seen. Versions that are not older
-- than it were taken back by the API.
with seen as (

    select ticket_id, max(updated_at) as last_seen_at
    from {{ ref('stg_cogny__ticket_history') }}
    group by ticket_id

), present as (

    select
        tickets.ticket_id,
        coalesce(tickets.updated_at, seen.last_seen_at, tickets.created_at) as began_at,
        tickets.status,
        tickets.priority,
        tickets.category,
        tickets.assignee,
        tickets.impact_metric,
        tickets.impact_current_value,
        tickets.impact_projected_value,
        tickets.impact_increase_percentage,
        tickets.impact_confidence
    from {{ ref('stg_cogny__tickets') }} as tickets
    left join seen on seen.ticket_id = tickets.ticket_id

)

select
    history.ticket_id,
    history.updated_at as began_at,
    history.status,
    history.priority,
    history.category,
    history.assignee,
    history.impact_metric,
    history.impact_current_value,
    history.impact_projected_value,
    history.impact_increase_percentage,
    history.impact_confidence
from {{ ref('stg_cogny__ticket_history') }} as history
inner join present on present.ticket_id = history.ticket_id
where history.updated_at < present.began_at
union all
select * from present
where began_at is not null
