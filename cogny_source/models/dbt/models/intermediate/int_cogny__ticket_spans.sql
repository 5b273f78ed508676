-- One row for each time that a ticket kept its status, priority, category and assignee. The spans of a ticket tile its life:
-- the first begins when it was created, each other one where the one before ends, and the last ends with the ticket's
-- deletion or not at all. What lies before the first version that a sync has seen is a span of its own, not `is_seen`.
with versions as (

    select
        versions.ticket_id,
        versions.began_at,
        versions.status,
        versions.priority,
        versions.category,
        versions.assignee,
        tickets.warehouse_id,
        tickets.created_at,
        tickets.deleted_at,
        row_number() over (partition by versions.ticket_id order by versions.began_at) as version_number,
        lag(versions.status) over (partition by versions.ticket_id order by versions.began_at) as status_before,
        lag(versions.priority) over (partition by versions.ticket_id order by versions.began_at) as priority_before,
        lag(versions.category) over (partition by versions.ticket_id order by versions.began_at) as category_before,
        lag(versions.assignee) over (partition by versions.ticket_id order by versions.began_at) as assignee_before
    from {{ ref('int_cogny__ticket_versions') }} as versions
    inner join {{ ref('stg_cogny__tickets') }} as tickets on tickets.ticket_id = versions.ticket_id

), beginnings as (

    select
        ticket_id, warehouse_id, began_at as started_at, status, priority, category, assignee, deleted_at, true as is_seen
    from versions
    where
        version_number = 1
        or status is distinct from status_before
        or priority is distinct from priority_before
        or category is distinct from category_before
        or assignee is distinct from assignee_before
    union all
    -- Nobody saw its status and assignee then. Priority and category are those that were seen first, so that it has a group.
    select
        ticket_id, warehouse_id, created_at, cast(null as {{ type_of('text') }}), priority, category,
        cast(null as {{ type_of('text') }}), deleted_at, false
    from versions
    where version_number = 1 and created_at < began_at

), ordered as (

    select
        *,
        row_number() over (partition by ticket_id order by started_at) as span_number,
        lead(started_at) over (partition by ticket_id order by started_at) as next_started_at,
        min(started_at) over (partition by ticket_id) as life_started_at,
        lag(is_seen) over (partition by ticket_id order by started_at) as was_seen,
        lag(status) over (partition by ticket_id order by started_at) as status_before,
        lag(priority) over (partition by ticket_id order by started_at) as priority_before,
        lag(category) over (partition by ticket_id order by started_at) as category_before
    from beginnings

)

select
    ticket_id,
    span_number,
    warehouse_id,
    status,
    priority,
    category,
    assignee,
    is_seen,
    {{ is_closed('status') }} as is_closed,
    started_at,
    -- A deletion is stamped by the census that found it, a change by the API: the two may be in the wrong order.
    case
        when next_started_at is not null then next_started_at
        when deleted_at is not null then greatest(deleted_at, started_at)
    end as ended_at,
    next_started_at is null and deleted_at is not null as ends_with_deletion,
    life_started_at,
    was_seen,
    status_before,
    case when span_number > 1 then {{ is_closed('status_before') }} end as was_closed,
    priority_before,
    category_before
from ordered
