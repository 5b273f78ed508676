-- What does the open work promise? Per warehouse and metric, as no two metrics can be added.
select
    warehouses.name as warehouse,
    impact.impact_metric,
    impact.is_good_when_rising,
    count(*) as open_tickets,
    sum(impact.last_projected_change) as projected_change,
    avg(impact.last_increase_percentage) as mean_increase_percentage
from {{ ref('cogny_ticket_impact') }} as impact
left join {{ ref('cogny_warehouses') }} as warehouses on warehouses.warehouse_id = impact.warehouse_id
where impact.is_open and impact.is_current
group by warehouses.name, impact.impact_metric, impact.is_good_when_rising
order by warehouse, impact.impact_metric
