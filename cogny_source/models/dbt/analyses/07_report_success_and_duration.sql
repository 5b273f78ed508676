-- How many reports succeed, and how long do they take?
select
    outcome,
    count(*) as reports,
    avg(total_seconds) / 60 as mean_minutes,
    max(total_seconds) / 60 as longest_minutes
from {{ ref('cogny_report_metrics') }}
where not is_deleted
group by outcome
order by reports desc, outcome
