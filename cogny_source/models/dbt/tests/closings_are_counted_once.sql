-- Closed and reopened in the flow are what the transitions tell.
with flow as (

    select
        coalesce(sum(opened), 0) as opened,
        coalesce(sum(completed + dismissed), 0) as closed,
        coalesce(sum(reopened), 0) as reopened
    from {{ ref('cogny_ticket_flow_daily') }}

), transitions as (

    select
        {{ count_where("kind = 'created'") }} as opened,
        {{ count_where("kind = 'closed' or (kind = 'created' and to_status in (" ~ closed_statuses() ~ "))") }} as closed,
        {{ count_where("kind = 'reopened'") }} as reopened
    from {{ ref('cogny_ticket_transitions') }}

)

select flow.*, transitions.opened as told_opened, transitions.closed as told_closed, transitions.reopened as told_reopened
from flow
cross join transitions
where
    flow.opened <> transitions.opened
    or flow.closed <> transitions.closed
    or flow.reopened <> transitions.reopened
