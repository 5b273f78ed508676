-- One row for each ticket and metric that its versions projected: what was projected at first and at last.
with ordered as (

    select
        *,
        row_number() over (partition by ticket_id, impact_metric order by began_at) as nth,
        row_number() over (partition by ticket_id, impact_metric order by began_at desc) as nth_from_last,
        max(began_at) over (partition by ticket_id) as last_began_at
    from {{ ref('int_cogny__ticket_versions') }}

), projections as (

    select
        ticket_id,
        impact_metric,
        min(began_at) as first_seen_at,
        max(began_at) as last_seen_at,
        {{ any_where('began_at = last_began_at') }} as is_current,
        max(case when nth = 1 then impact_current_value end) as first_current_value,
        max(case when nth = 1 then impact_projected_value end) as first_projected_value,
        max(case when nth = 1 then impact_increase_percentage end) as first_increase_percentage,
        max(case when nth = 1 then impact_confidence end) as first_confidence,
        max(case when nth_from_last = 1 then impact_current_value end) as last_current_value,
        max(case when nth_from_last = 1 then impact_projected_value end) as last_projected_value,
        max(case when nth_from_last = 1 then impact_increase_percentage end) as last_increase_percentage,
        max(case when nth_from_last = 1 then impact_confidence end) as last_confidence
    from ordered
    where impact_metric is not null
    group by ticket_id, impact_metric

)

select
    projections.ticket_id,
    projections.impact_metric,
    tickets.warehouse_id,
    tickets.category,
    tickets.priority,
    tickets.effort,
    tickets.status,
    tickets.is_open,
    tickets.is_deleted,
    tickets.outcome,
    projections.is_current,
    {{ is_good_when_rising('projections.impact_metric') }} as is_good_when_rising,
    projections.first_seen_at,
    projections.first_current_value,
    projections.first_projected_value,
    projections.first_increase_percentage,
    projections.first_confidence,
    projections.last_seen_at,
    projections.last_current_value,
    projections.last_projected_value,
    projections.last_increase_percentage,
    projections.last_confidence,
    projections.last_projected_value - projections.last_current_value as last_projected_change
from projections
inner join {{ ref('cogny_ticket_metrics') }} as tickets on tickets.ticket_id = projections.ticket_id
