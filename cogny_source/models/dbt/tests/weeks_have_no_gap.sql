-- The weeks add up to the days, and the last one's backlog to the tickets that are open.
with weeks as (

    select
        coalesce(sum(closed), 0) as closed,
        coalesce(max(case when is_present_week then open_at_end end), 0) as open_tickets,
        count(*) as weeks,
        coalesce({{ day_number('max(date_week)') }} - {{ day_number('min(date_week)') }}, -7) / 7 + 1 as weeks_between
    from {{ ref('cogny_ticket_flow_weekly') }}

), days as (

    select coalesce(sum(completed + dismissed), 0) as closed, coalesce(sum(change), 0) as open_tickets
    from {{ ref('cogny_ticket_flow_daily') }}

)

select weeks.*, days.closed as closed_by_day, days.open_tickets as open_by_day
from weeks
cross join days
where weeks.closed <> days.closed or weeks.open_tickets <> days.open_tickets or weeks.weeks <> weeks.weeks_between
