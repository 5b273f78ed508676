-- One row for each recommendation of a report's content.
select
    report_id,
    position,
    priority,
    title,
    description,
    estimated_impact__metric as impact_metric,
    estimated_impact__current_value as impact_current_value,
    estimated_impact__projected_value as impact_projected_value,
    estimated_impact__increase_percentage as impact_increase_percentage,
    estimated_impact__confidence as impact_confidence,
    effort
from {{ loaded('report_recommendations') }} as recommendations
