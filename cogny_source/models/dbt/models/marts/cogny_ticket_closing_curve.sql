-- One row for each priority and week of age in which a ticket was closed or stopped being watched: how many tickets of that
-- age there were, how many were closed, and the share that is closed by then (the estimator of Kaplan and Meier). Tickets
-- that are still open count up to the age that they have; a mean of the closed ones would leave out the slow ones.
with lives as (

    select
        coalesce(priority, 'not given') as priority,
        first_closed_at is not null as was_closed,
        floor({{ seconds_between('created_at', 'coalesce(first_closed_at, deleted_at, as_of)') }} / 604800) as week_of_age
    from {{ ref('cogny_ticket_metrics') }}
    where created_at <= coalesce(first_closed_at, deleted_at, as_of)

), weeks as (

    select
        priority,
        week_of_age,
        count(*) as ended,
        {{ count_where('was_closed') }} as closed
    from lives
    group by priority, week_of_age

), counted as (

    select
        priority,
        week_of_age,
        closed,
        sum(ended) over (partition by priority order by week_of_age desc rows unbounded preceding) as at_risk
    from weeks

)

select
    priority,
    cast(week_of_age as {{ type_of('bigint') }}) as week_of_age,
    cast(at_risk as {{ type_of('bigint') }}) as at_risk,
    closed,
    -- The product of the shares that stay open, as a sum of logarithms; 1e-300 stands for a share of nothing.
    round(1 - exp(sum(ln(greatest(1.0 - closed / at_risk, 1e-300)))
        over (partition by priority order by week_of_age rows unbounded preceding)), 9) as share_closed
from counted
