-- One row a week from the first to the present one, without gaps: what came and went, what was open at the week's end, and
-- the two curves of a cumulative flow diagram.
with flow as (

    select
        date_week,
        {{ total('opened') }} as opened,
        {{ total('reopened') }} as reopened,
        {{ total('completed') }} as completed,
        {{ total('dismissed') }} as dismissed,
        {{ total('deleted') }} as deleted,
        {{ total('change') }} as change
    from {{ ref('cogny_ticket_flow_daily') }}
    group by date_week

), bounds as (

    select
        min(flow.date_week) as first_day,
        max(as_of.tickets_day) as last_day
    from flow
    cross join {{ ref('int_cogny__as_of') }} as as_of

), weeks as (

    select distinct {{ week_of('date_day') }} as date_week, {{ week_of('last_day') }} as last_week
    from {{ each_day('bounds', 'first_day', 'last_day') }}

), filled as (

    select
        weeks.date_week,
        weeks.date_week = weeks.last_week as is_present_week,
        coalesce(flow.opened, 0) as opened,
        coalesce(flow.reopened, 0) as reopened,
        coalesce(flow.completed, 0) as completed,
        coalesce(flow.dismissed, 0) as dismissed,
        coalesce(flow.deleted, 0) as deleted,
        coalesce(flow.change, 0) as change
    from weeks
    left join flow on flow.date_week = weeks.date_week

)

select
    date_week,
    is_present_week,
    opened,
    reopened,
    completed,
    dismissed,
    completed + dismissed as closed,
    deleted,
    {{ running_total('change', 'date_week') }} as open_at_end,
    {{ running_total('opened + reopened', 'date_week') }} as arrived_to_date,
    {{ running_total('completed + dismissed + deleted', 'date_week') }} as departed_to_date
from filled
