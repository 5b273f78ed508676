-- One row a recommendation: what it promised, and what became of it where tickets tell.
with links as (

    select
        report_id,
        recommendation_position,
        count(*) as tickets,
        min(ticket_id) as ticket_id,
        min(created_at) as first_ticket_at
    from {{ ref('cogny_recommendation_tickets') }}
    where recommendation_position is not null
    group by report_id, recommendation_position

), by_report as (

    select report_id, count(*) as tickets
    from {{ ref('cogny_recommendation_tickets') }}
    group by report_id

), steps as (

    select report_id, recommendation_position, count(*) as action_items
    from {{ ref('stg_cogny__recommendation_action_items') }}
    group by report_id, recommendation_position

)

select
    recommendations.report_id,
    recommendations.position,
    reports.warehouse_id,
    reports.completed_at as recommended_at,
    recommendations.priority,
    recommendations.title,
    recommendations.effort,
    recommendations.impact_metric,
    {{ is_good_when_rising('recommendations.impact_metric') }} as is_good_when_rising,
    recommendations.impact_increase_percentage,
    recommendations.impact_confidence,
    coalesce(steps.action_items, 0) as action_items,
    coalesce(by_report.tickets, 0) as tickets_of_report,
    coalesce(links.tickets, 0) as tickets,
    links.ticket_id,
    metrics.outcome as ticket_outcome,
    {{ seconds_between('reports.completed_at', 'links.first_ticket_at') }} as seconds_to_ticket
from {{ ref('stg_cogny__recommendations') }} as recommendations
left join {{ ref('stg_cogny__reports') }} as reports on reports.report_id = recommendations.report_id
left join steps
    on steps.report_id = recommendations.report_id and steps.recommendation_position = recommendations.position
left join by_report on by_report.report_id = recommendations.report_id
left join links
    on links.report_id = recommendations.report_id and links.recommendation_position = recommendations.position
left join {{ ref('cogny_ticket_metrics') }} as metrics on metrics.ticket_id = links.ticket_id
