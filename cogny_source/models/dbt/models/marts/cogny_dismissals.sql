-- One row for each time that a ticket was dismissed: when, why, how long it had been there, whether it came back.
with dismissals as (

    select
        *,
        max(stay_number) over (partition by ticket_id) as last_dismissal
    from {{ ref('int_cogny__ticket_stays') }}
    where status = 'dismissed'

), reasons as (

    select
        ticket_id,
        created_at,
        effort,
        {{ json_text('extra', 'dismissal_reason') }} as reason_of_field,
        {{ named_reason('notes') }} as reason_of_notes
    from {{ ref('stg_cogny__tickets') }}

)

select
    dismissals.ticket_id,
    dismissals.stay_number as transition_number,
    dismissals.warehouse_id,
    dismissals.category,
    dismissals.priority,
    reasons.effort,
    dismissals.started_at as dismissed_at,
    {{ local_date('dismissals.started_at') }} as date_day,
    dismissals.status_before as from_status,
    dismissals.is_seen and coalesce(dismissals.was_seen, true) as is_seen,
    dismissals.stay_number = dismissals.last_dismissal as is_last,
    -- The ticket holds one reason, that of its last dismissal.
    case when dismissals.stay_number = dismissals.last_dismissal
        then coalesce(reasons.reason_of_field, reasons.reason_of_notes) end as reason,
    case
        when dismissals.stay_number < dismissals.last_dismissal then null
        when reasons.reason_of_field is not null then 'field'
        when reasons.reason_of_notes is not null then 'notes'
    end as reason_from,
    {{ seconds_between('reasons.created_at', 'dismissals.started_at') }} as seconds_after_creation,
    dismissals.ended_at is not null and not dismissals.ends_with_deletion as came_back
from dismissals
inner join reasons on reasons.ticket_id = dismissals.ticket_id
