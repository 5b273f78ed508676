-- What does the open work promise? Per warehouse and metric, as no two metrics can be added.
select
    warehouse_id,
    impact_metric,
    is_good_when_rising,
    count(*) as open_tickets,
    sum(last_projected_change) as projected_change,
    avg(last_increase_percentage) as mean_increase_percentage
from {{ ref('cogny_ticket_impact') }}
where is_open and is_current
group by warehouse_id, impact_metric, is_good_when_rising
order by warehouse_id, impact_metric
