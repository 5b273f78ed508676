-- Which recommendations led to tickets, and what became of them? Only tickets that name their report can tell.
select report_id, position, priority, title, tickets, ticket_outcome, seconds_to_ticket / 86400 as days_to_ticket
from {{ ref('cogny_recommendations') }}
where tickets > 0
order by report_id, position
