-- Who has how much to do?
select
    coalesce(assignee, 'nobody') as assignee,
    count(*) as open_tickets,
    count(case when status = 'in_progress' then 1 end) as in_progress,
    count(case when priority = 'critical' then 1 end) as critical,
    max(age_seconds) / 86400 as oldest_days
from {{ ref('cogny_ticket_metrics') }}
where is_open
group by 1
order by open_tickets desc, assignee
