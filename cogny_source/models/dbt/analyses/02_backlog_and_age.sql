-- How much is open, and how old is it?
select
    priority,
    sum(open_tickets) as open_tickets,
    sum(open_for_30_days) as open_for_30_days,
    sum(open_for_90_days) as open_for_90_days,
    sum(age_days) / sum(open_tickets) as mean_age_days
from {{ ref('cogny_ticket_backlog_daily') }}
where is_last_day
group by priority
order by open_tickets desc, priority
