-- One row for each version of a ticket that a sync has seen; none where the dataset keeps no history.
select
    id as ticket_id,
    updated_at,
    status,
    priority,
    category,
    assignee,
    effort,
    estimated_impact__metric as impact_metric,
    estimated_impact__current_value as impact_current_value,
    estimated_impact__projected_value as impact_projected_value,
    estimated_impact__increase_percentage as impact_increase_percentage,
    estimated_impact__confidence as impact_confidence
from {{ loaded('tickets_history') }} as history
