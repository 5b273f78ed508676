-- One row for each day and group that had open tickets at the day's end. `status` is `open`, `in_progress`, what else the API
-- named, or `unseen` where no sync had seen the ticket yet.
with running as (

    select
        date_day as first_day,
        warehouse_id,
        category,
        priority,
        status,
        sum(open_tickets) over groups_to_date as open_tickets,
        sum(open_for_7_days) over groups_to_date as open_for_7_days,
        sum(open_for_30_days) over groups_to_date as open_for_30_days,
        sum(open_for_90_days) over groups_to_date as open_for_90_days,
        sum(created_day_numbers) over groups_to_date as created_day_numbers,
        lead(date_day) over (partition by warehouse_id, category, priority, status order by date_day) as next_day
    from {{ ref('int_cogny__backlog_deltas') }}
    window groups_to_date as (
        partition by warehouse_id, category, priority, status order by date_day rows unbounded preceding
    )

), bounded as (

    -- A delta may lie in the future: the day on which a ticket that is open today will be 30 days old.
    select
        running.*,
        as_of.tickets_day,
        least(as_of.tickets_day, coalesce({{ add_days('running.next_day', -1) }}, as_of.tickets_day)) as last_day
    from running
    cross join {{ ref('int_cogny__as_of') }} as as_of
    where running.open_tickets > 0 and running.first_day <= as_of.tickets_day

)

select
    date_day,
    warehouse_id,
    category,
    priority,
    status,
    cast(open_tickets as {{ type_of('bigint') }}) as open_tickets,
    cast(open_for_7_days as {{ type_of('bigint') }}) as open_for_7_days,
    cast(open_for_30_days as {{ type_of('bigint') }}) as open_for_30_days,
    cast(open_for_90_days as {{ type_of('bigint') }}) as open_for_90_days,
    cast(open_tickets * {{ day_number('date_day') }} - created_day_numbers as {{ type_of('bigint') }}) as age_days,
    date_day = tickets_day as is_last_day
from {{ each_day('bounded', 'first_day', 'last_day') }}
