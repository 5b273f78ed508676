-- How has the backlog moved? What was open at the end of each of the last days.
select days.date_day, coalesce(sum(backlog.open_tickets), 0) as open_tickets
from {{ ref('cogny_days') }} as days
left join {{ ref('cogny_ticket_backlog_daily') }} as backlog on backlog.date_day = days.date_day
group by days.date_day
order by days.date_day desc
limit 30
