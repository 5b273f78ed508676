-- How long do tickets stay in each status? Stays that were seen from beginning to end.
select from_status as status, count(*) as stays, avg(seconds_in_from_status) / 86400 as mean_days
from {{ ref('cogny_ticket_transitions') }}
where is_seen and kind <> 'created'
group by from_status
order by stays desc, status
