-- For each group, at the end of each day on which it changes and of the last day: what came less what went is what is open.
with changes as (

    select
        date_day,
        coalesce(warehouse_id, '') as warehouse_id,
        coalesce(category, '') as category,
        coalesce(priority, '') as priority,
        sum(change) as change
    from {{ ref('cogny_ticket_flow_daily') }}
    group by 1, 2, 3, 4

), last_day as (

    select tickets_day as date_day from {{ ref('int_cogny__as_of') }}

), groups_at_the_end as (

    select last_day.date_day, changes.warehouse_id, changes.category, changes.priority, 0 as change
    from changes
    cross join last_day
    group by 1, 2, 3, 4

), all_changes as (

    select * from changes
    union all
    select * from groups_at_the_end

), by_day as (

    select date_day, warehouse_id, category, priority, sum(change) as change
    from all_changes
    group by 1, 2, 3, 4

), explained as (

    select
        date_day,
        warehouse_id,
        category,
        priority,
        sum(change) over (partition by warehouse_id, category, priority order by date_day rows unbounded preceding) as tickets
    from by_day

), backlog as (

    select
        date_day,
        coalesce(warehouse_id, '') as warehouse_id,
        coalesce(category, '') as category,
        coalesce(priority, '') as priority,
        sum(open_tickets) as tickets
    from {{ ref('cogny_ticket_backlog_daily') }}
    group by 1, 2, 3, 4

)

select explained.*, backlog.tickets as open_tickets
from explained
left join backlog
    on backlog.date_day = explained.date_day
    and backlog.warehouse_id = explained.warehouse_id
    and backlog.category = explained.category
    and backlog.priority = explained.priority
where explained.tickets <> coalesce(backlog.tickets, 0)
