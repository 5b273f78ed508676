-- One row a day, from the first ticket to the last day that is known; the time spine of the metrics.
with tickets as (

    select min({{ local_date('created_at') }}) as first_day
    from {{ ref('stg_cogny__tickets') }}

), bounds as (

    select
        least(coalesce(tickets.first_day, as_of.tickets_day), as_of.tickets_day) as first_day,
        as_of.tickets_day as last_day
    from tickets
    cross join {{ ref('int_cogny__as_of') }} as as_of

)

select date_day, {{ week_of('date_day') }} as date_week
from {{ each_day('bounds', 'first_day', 'last_day') }}
