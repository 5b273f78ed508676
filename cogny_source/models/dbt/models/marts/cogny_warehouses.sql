-- One row a warehouse: work that is open, throughput, reports. A warehouse that only tickets or reports name, and the tickets
-- and reports of none, have a row too.
with tickets as (

    select
        warehouse_id,
        {{ count_where('not is_deleted') }} as tickets,
        {{ count_where('is_open') }} as open_tickets,
        {{ count_where("is_open and status = 'in_progress'") }} as tickets_in_progress,
        {{ count_where("not is_deleted and outcome = 'completed'") }} as completed_tickets,
        {{ count_where("not is_deleted and outcome = 'dismissed'") }} as dismissed_tickets,
        {{ count_where('not is_deleted and ' ~ micros_between('closed_at', 'as_of') ~ ' <= 28 * 86400000000') }} as closed_in_28_days
    from {{ ref('cogny_ticket_metrics') }}
    group by warehouse_id

), reports as (

    select
        warehouse_id,
        {{ count_where('not is_deleted') }} as reports,
        {{ count_where("not is_deleted and outcome = 'completed'") }} as completed_reports,
        {{ count_where("not is_deleted and outcome = 'failed'") }} as failed_reports,
        {{ count_where("not is_deleted and outcome = 'cancelled'") }} as cancelled_reports
    from {{ ref('cogny_report_metrics') }}
    group by warehouse_id

), keys as (

    select warehouse_id from {{ ref('stg_cogny__warehouses') }}
    union distinct
    select warehouse_id from tickets
    union distinct
    select warehouse_id from reports

)

select
    keys.warehouse_id,
    warehouses.name,
    warehouses.type,
    warehouses.status,
    warehouses.warehouse_id is not null as is_listed,
    coalesce(warehouses.is_deleted, false) as is_deleted,
    coalesce(tickets.tickets, 0) as tickets,
    coalesce(tickets.open_tickets, 0) as open_tickets,
    coalesce(tickets.tickets_in_progress, 0) as tickets_in_progress,
    coalesce(tickets.completed_tickets, 0) as completed_tickets,
    coalesce(tickets.dismissed_tickets, 0) as dismissed_tickets,
    coalesce(tickets.closed_in_28_days, 0) as closed_in_28_days,
    coalesce(reports.reports, 0) as reports,
    coalesce(reports.completed_reports, 0) as completed_reports,
    coalesce(reports.failed_reports, 0) as failed_reports,
    coalesce(reports.cancelled_reports, 0) as cancelled_reports
from keys
left join {{ ref('stg_cogny__warehouses') }} as warehouses on warehouses.warehouse_id = keys.warehouse_id
-- Rows of no warehouse meet the row of none.
left join tickets on coalesce(tickets.warehouse_id, '') = coalesce(keys.warehouse_id, '')
left join reports on coalesce(reports.warehouse_id, '') = coalesce(keys.warehouse_id, '')
