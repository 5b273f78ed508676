-- What share of the closed tickets was completed?
select
    category,
    count(outcome) as closed,
    count(case when outcome = 'completed' then 1 end) as completed,
    100.0 * count(case when outcome = 'completed' then 1 end) / nullif(count(outcome), 0) as completed_percent
from {{ ref('cogny_ticket_metrics') }}
where not is_deleted
group by category
order by category
