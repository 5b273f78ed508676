-- How much is accepted, how much dismissed, and why? Accepted is what was taken on or completed and not dismissed since.
select
    case when tickets.outcome = 'dismissed' then 'dismissed' else 'accepted' end as answer,
    dismissals.reason,
    count(*) as tickets
from {{ ref('cogny_ticket_metrics') }} as tickets
left join {{ ref('cogny_dismissals') }} as dismissals
    on dismissals.ticket_id = tickets.ticket_id and dismissals.is_last and tickets.outcome = 'dismissed'
where not tickets.is_deleted and tickets.status in ('in_progress', 'completed', 'dismissed')
group by answer, dismissals.reason
order by answer, tickets desc, dismissals.reason
