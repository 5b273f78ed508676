-- How much gets done? Tickets that came and went in the last thirteen whole weeks.
select date_week, opened, reopened, completed, dismissed, deleted, open_at_end
from {{ ref('cogny_ticket_flow_weekly') }}
where not is_present_week
order by date_week desc
limit 13
