-- One row a ticket: when it was answered and closed, how long it was in each status, how often it came back.
with by_ticket as (

    select
        ticket_id,
        min(case when is_seen then started_at end) as seen_from,
        {{ any_where('not is_seen') }} as has_unseen_beginning,
        {{ total('lasted_micros') }} as life,
        {{ total("case when not is_seen then lasted_micros else 0 end") }} as unseen,
        {{ total("case when status = 'open' then lasted_micros else 0 end") }} as open,
        {{ total("case when status = 'in_progress' then lasted_micros else 0 end") }} as in_progress,
        {{ total("case when status = 'completed' then lasted_micros else 0 end") }} as completed,
        {{ total("case when status = 'dismissed' then lasted_micros else 0 end") }} as dismissed,
        {{ total("case when is_seen and coalesce(status not in ('open', 'in_progress', 'completed', 'dismissed'), true) then lasted_micros else 0 end") }} as other,
        count(*) - 1 as transitions,
        -- From completed to dismissed it stays closed.
        min(case when is_closed and not coalesce(was_closed, false) then started_at end) as first_closed_at,
        max(case when is_closed and not coalesce(was_closed, false) then started_at end) as last_closed_at,
        {{ count_where('was_closed and not is_closed') }} as reopened_times,
        min(case when is_seen and coalesce(status <> 'open', true) then started_at end) as first_not_open_at,
        min(case when status = 'in_progress' then started_at end) as first_in_progress_at
    from {{ ref('int_cogny__ticket_stays') }}
    group by ticket_id

), assignments as (

    select
        ticket_id,
        min(case when assignee is not null then started_at end) as first_assigned_at,
        count(distinct assignee) as assignees
    from {{ ref('int_cogny__ticket_spans') }}
    group by ticket_id

)

select
    tickets.ticket_id,
    tickets.warehouse_id,
    tickets.title,
    tickets.category,
    tickets.priority,
    tickets.status,
    tickets.effort,
    tickets.assignee,
    tickets.created_at,
    {{ local_date('tickets.created_at') }} as created_day,
    tickets.updated_at,
    tickets.deleted_at,
    tickets.is_closed,
    tickets.is_deleted,
    not tickets.is_closed and not tickets.is_deleted as is_open,
    case when tickets.is_closed then tickets.status end as outcome,
    by_ticket.seen_from,
    coalesce(by_ticket.has_unseen_beginning, false) as has_unseen_beginning,
    -- Before the first version that was seen it may have been answered, assigned or taken on already.
    case when not by_ticket.has_unseen_beginning then by_ticket.first_not_open_at end as first_response_at,
    case when not by_ticket.has_unseen_beginning then assignments.first_assigned_at end as first_assigned_at,
    by_ticket.first_in_progress_at,
    by_ticket.first_closed_at,
    case when tickets.is_closed then by_ticket.last_closed_at end as closed_at,
    {{ local_date('case when tickets.is_closed then by_ticket.last_closed_at end') }} as closed_day,
    coalesce(by_ticket.reopened_times, 0) as reopened_times,
    coalesce(assignments.assignees, 0) as assignees,
    coalesce(by_ticket.transitions, 0) as transitions,
    case when not by_ticket.has_unseen_beginning
        then {{ seconds_between('tickets.created_at', 'by_ticket.first_not_open_at') }} end as seconds_to_first_response,
    {{ seconds_between('tickets.created_at', 'by_ticket.first_closed_at') }} as seconds_to_first_close,
    case when tickets.is_closed
        then {{ seconds_between('tickets.created_at', 'by_ticket.last_closed_at') }} end as seconds_to_close,
    case when not tickets.is_closed and not tickets.is_deleted
        then {{ seconds_between('tickets.created_at', 'greatest(as_of.tickets_as_of, tickets.created_at)') }} end as age_seconds,
    by_ticket.life / 1000000.0 as life_seconds,
    by_ticket.unseen / 1000000.0 as unseen_seconds,
    by_ticket.open / 1000000.0 as open_seconds,
    by_ticket.in_progress / 1000000.0 as in_progress_seconds,
    by_ticket.completed / 1000000.0 as completed_seconds,
    by_ticket.dismissed / 1000000.0 as dismissed_seconds,
    by_ticket.other / 1000000.0 as other_seconds,
    as_of.tickets_as_of as as_of
from {{ ref('stg_cogny__tickets') }} as tickets
cross join {{ ref('int_cogny__as_of') }} as as_of
left join by_ticket on by_ticket.ticket_id = tickets.ticket_id
left join assignments on assignments.ticket_id = tickets.ticket_id
