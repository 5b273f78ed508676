-- The last day of the backlog, in total and by age, is counted again from the loaded tickets.
with backlog as (

    select
        coalesce(sum(open_tickets), 0) as open_tickets,
        coalesce(sum(open_for_30_days), 0) as open_for_30_days,
        coalesce(sum(age_days), 0) as age_days
    from {{ ref('cogny_ticket_backlog_daily') }}
    where is_last_day

), beginnings as (

    select ticket_id, min(began_at) as began_at
    from {{ ref('int_cogny__ticket_versions') }}
    group by ticket_id

), ages as (

    select
        {{ day_number('as_of.tickets_day') }}
        - {{ day_number('least(' ~ local_date('least(coalesce(tickets.created_at, beginnings.began_at), beginnings.began_at)') ~ ', as_of.tickets_day)') }} as days
    from {{ ref('stg_cogny__tickets') }} as tickets
    inner join beginnings on beginnings.ticket_id = tickets.ticket_id
    cross join {{ ref('int_cogny__as_of') }} as as_of
    where not tickets.is_closed and not tickets.is_deleted

), loaded as (

    select count(*) as open_tickets, {{ count_where('days >= 30') }} as open_for_30_days, coalesce(sum(days), 0) as age_days
    from ages

)

select backlog.open_tickets, loaded.open_tickets as loaded_open, backlog.age_days, loaded.age_days as loaded_age_days
from backlog
cross join loaded
where
    backlog.open_tickets <> loaded.open_tickets
    or backlog.open_for_30_days <> loaded.open_for_30_days
    or backlog.age_days <> loaded.age_days
